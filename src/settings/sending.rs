//! The jobs of send and of the outbox: the account by the sender's address, its fallback, and the
//! aliases of local names. Opens no connection.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::Settings;
use super::error::Error;
use super::job::{Route, SendJob, ServiceJob, Side};
use super::permissions::Permissions;
use crate::cli::{self, InvokedAs};
use crate::config::{self, EnvelopeFrom, Sender, Table};
use crate::text::{Address, Addressee, EhloName, Mailbox, ReversePath, shown};

impl Settings {
    /// The account that a message is sent with: the one that was named, else the one that has the
    /// sender's address, else the one that has one of the authors', else the default, else the only
    /// one. `authors` are those whom the message names, the one that counts most first.
    ///
    /// # Errors
    ///
    /// Returns an error if no account, or more than one, is meant, or it is incomplete.
    pub fn send_job(&self, args: &cli::Send, authors: &[Mailbox]) -> Result<SendJob, Error> {
        let job = self.send_job_alone(args, authors)?;
        self.with_fallback(job, authors)
    }

    /// Returns the job without its fallback.
    fn send_job_alone(&self, args: &cli::Send, authors: &[Mailbox]) -> Result<SendJob, Error> {
        let (typed, typed_name, is_null) = match &args.from {
            Some(from) => (from.path.mailbox(), from.name.clone(), from.path == ReversePath::Null),
            None => (None, None, false),
        };
        let from = typed.map(|address| {
            Sender::Mailbox(Addressee { name: typed_name.clone(), address: address.clone() })
        });
        let mut top = Table { from, ..self.command_line_table(&args.one_off) };
        let (mut configured, mut own_address) = (None, None);
        let (account, table) = if top.server.is_some() {
            (None, top)
        } else {
            if args.one_off.user.is_some() && args.account.is_none() {
                return Err(Error::UserAlone);
            }
            let name = match &args.account {
                Some(name) => name.clone(),
                None => self.sending_account(typed.into_iter().chain(authors))?,
            };
            let table = self.account_with_server(&name)?;
            if let Some(Sender::Mailbox(own)) = &table.from {
                configured = Some(own.clone());
            }
            if let Some(Sender::Mailbox(own)) = sender(&table) {
                own_address = Some(own.address);
            }
            // A typed address that `rewrite-from` replaces gives way to the account's.
            let rewrite = table.rewrite_from.unwrap_or_default();
            if let Some(typed) = typed
                && rewrite.applies(|| typed.is_local(&self.run_id.host))
            {
                top.from = None;
            }
            (Some(name), top.over(table))
        };
        let first_author = authors.first().cloned().ok_or(Error::NoSender);
        let from = match sender(&table) {
            Some(Sender::Mailbox(Addressee { address, .. })) => address,
            Some(domain) => match authors.iter().find(|it| domain.likeness(it).is_some()) {
                Some(author) => author.clone(),
                None if is_null => first_author?,
                None => return Err(Error::NoSender),
            },
            None if account.is_none() || is_null => first_author?,
            None => return Err(Error::NoSender),
        };
        let reverse_path = match (table.envelope.unwrap_or_default(), own_address) {
            (EnvelopeFrom::Own, Some(own)) => own.into(),
            (EnvelopeFrom::Own, None) => return Err(Error::NoOwnAddress),
            (EnvelopeFrom::Caller, _) if is_null => ReversePath::Null,
            (EnvelopeFrom::Caller, _) => from.clone().into(),
        };
        // A name belongs to its address.
        let name = match (typed_name, configured) {
            (Some(name), _) if typed == Some(&from) => Some(name),
            (_, Some(own)) if own.address == from => own.name,
            _ => None,
        };
        let job = self.sending(account, table, from, reverse_path)?;
        // What was typed of the account is not known later.
        let queue = (job.queue || args.queue) && !args.one_off.is_given();
        Ok(SendJob { name, queue, ..job })
    }

    /// Adds the account's fallback, which sends from the same address, unless its `rewrite-from`
    /// replaces that.
    fn with_fallback(&self, job: SendJob, authors: &[Mailbox]) -> Result<SendJob, Error> {
        let fallback = job.account.as_deref().map_or(Ok(None), |name| self.fallback(name))?;
        let Some(name) = fallback else { return Ok(job) };
        let from = Some(job.reverse_path.clone().into());
        let args = cli::Send { account: Some(name), from, ..cli::Send::default() };
        let fallback = self.send_job_alone(&args, authors)?;
        Ok(SendJob { fallback: Some(Box::new(fallback)), ..job })
    }

    /// Returns whether an account has a fallback.
    pub fn has_fallback(&self, account: &str) -> bool {
        self.named_fallback(account).is_ok_and(|fallback| fallback.is_some())
    }

    /// The name of an account's fallback. Where fallbacks have fallbacks, none leads back: only one
    /// is tried, but which one must not depend on where one began.
    fn fallback(&self, account: &str) -> Result<Option<String>, Error> {
        let first = self.named_fallback(account)?;
        let mut known = vec![account.to_owned()];
        let mut next = first.clone();
        while let Some(fallback) = next {
            let (from, to) = (known.last().map_or(account, String::as_str), fallback.as_str());
            if known.contains(&fallback) {
                let (account, fallback) = (shown(from), shown(to));
                return Err(Error::FallbackCycle { account, fallback });
            }
            if !self.has_account(&fallback) {
                let names = self.file.iter().flat_map(|file| file.account.keys());
                let nearest = config::nearest(to, names.map(String::as_str)).map(shown);
                let (account, fallback) = (shown(from), shown(to));
                return Err(Error::UnknownFallback { account, fallback, nearest });
            }
            next = self.named_fallback(&fallback)?;
            known.push(fallback);
        }
        Ok(first)
    }

    /// The value of `fallback`. In `[defaults]` it is for all but the account that it names.
    fn named_fallback(&self, account: &str) -> Result<Option<String>, Error> {
        let own = self.file.as_ref().and_then(|file| file.account.get(account));
        let side = own.and_then(|own| own.send.as_deref());
        let is_own = [side, own].into_iter().flatten().any(|table| table.fallback.is_some());
        let named = self.account(account, Side::Send)?.fallback;
        Ok(named.filter(|fallback| is_own || fallback != account))
    }

    /// Returns the way of a message: to the submission service if the account has `submit`, else to
    /// its server.
    ///
    /// # Errors
    ///
    /// Returns an error if no account, or more than one, is meant, or it is incomplete.
    pub fn route(&self, args: &cli::Send, authors: &[Mailbox]) -> Result<Route, Error> {
        let server = || Ok(Route::Server(Box::new(self.send_job(args, authors)?)));
        // What is typed of an account is about a server.
        if args.one_off.is_given() {
            return server();
        }
        let typed = args.from.as_ref().and_then(|from| from.path.mailbox());
        let account = match &args.account {
            Some(name) => name.clone(),
            None => self.sending_account(typed.into_iter().chain(authors))?,
        };
        match self.service_job(&account)? {
            Some(job) => Ok(Route::Service(job)),
            None => server(),
        }
    }

    /// Returns the job of an account that sends by the submission service; `None` if it has a server
    /// of its own.
    pub(super) fn service_job(&self, account: &str) -> Result<Option<ServiceJob>, Error> {
        let table = self.account(account, Side::Send)?;
        let Some(socket) = &table.submit else { return Ok(None) };
        let from = match &table.from {
            Some(Sender::Mailbox(own)) => Some(own.clone()),
            Some(Sender::Anybody(_)) | None => None,
        };
        let timeout = Duration::from_secs(self.timeout.or(table.timeout).unwrap_or(60).into());
        let (account, socket) = (account.to_owned(), self.path(socket)?);
        let run_id = self.run_id.clone();
        Ok(Some(ServiceJob { account, socket, from, timeout, run_id }))
    }

    /// Returns the job for a message that was accepted from this sender before.
    ///
    /// # Errors
    ///
    /// Returns an error if the account no longer exists or is incomplete.
    pub fn queued_job(&self, account: &str, from: &ReversePath) -> Result<SendJob, Error> {
        let top = Table { timeout: self.timeout, ..Table::default() };
        let table = top.over(self.account_with_server(account)?);
        let own = match (from.mailbox(), sender(&table)) {
            (Some(mailbox), _) => mailbox.clone(),
            // The message has its From field: only EHLO is still to be named, after the domain.
            (None, Some(own)) => own.address().clone(),
            (None, None) => return Err(Error::NoSender),
        };
        let job = self.sending(Some(account.to_owned()), table, own, from.clone())?;
        self.with_fallback(job, &[])
    }

    /// Returns the table of an account that sends by a server.
    fn account_with_server(&self, account: &str) -> Result<Table, Error> {
        let table = self.account(account, Side::Send)?;
        let Some(socket) = &table.submit else { return Ok(table) };
        let (account, socket) = (shown(account), self.path(socket)?);
        Err(Error::SendsByService { account, socket })
    }

    fn sending(
        &self,
        account: Option<String>,
        table: Table,
        from: Mailbox,
        reverse_path: ReversePath,
    ) -> Result<SendJob, Error> {
        // An address literal is allowed (RFC 5321 §4.1.4), and keeps the machine's own name private.
        let ehlo_name = match &table.ehlo_name {
            Some(ehlo_name) => ehlo_name.clone(),
            None => from
                .domain()
                .parse()
                .unwrap_or_else(|_| EhloName::literal(Ipv4Addr::LOCALHOST.into())),
        };
        let rewrite_from = table.rewrite_from.unwrap_or_default();
        let chunking = table.chunking.unwrap_or(true);
        let sent_maildir = table.sent_maildir.as_ref().map(|path| self.path(path)).transpose()?;
        let log_file = table.log_file.as_ref().map(|path| self.path(path)).transpose()?;
        let queue = table.queue.unwrap_or(self.invoked_as == InvokedAs::Sendmail);
        let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let permissions = Permissions {
            max_recipients: table.max_recipients.map(number),
            recipients: table.recipients.clone(),
            users: table.allow_users.clone(),
            groups: table.allow_groups.clone(),
            max_per_hour: table.max_per_hour.map(number),
        };
        let peer = self.peer(account.as_deref(), table, Side::Send)?;
        let (server, run_id) = (self.server_file(&peer), self.run_id.clone());
        Ok(SendJob {
            account,
            peer,
            from,
            name: None,
            reverse_path,
            ehlo_name,
            rewrite_from,
            chunking,
            sent_maildir,
            log_file,
            queue,
            fallback: None,
            permissions,
            server,
            run_id,
        })
    }

    /// Resolves local names by `[aliases]`; other addresses stay. An error for a name that is not
    /// there.
    pub fn mailboxes(&self, addresses: Vec<Address>) -> Result<Vec<Mailbox>, Error> {
        let mut mailboxes = Vec::with_capacity(addresses.len());
        for address in addresses {
            match (self.alias(&address), address) {
                (Some(alias), _) => mailboxes.extend_from_slice(alias),
                (None, Address::Mailbox(mailbox)) => mailboxes.push(mailbox),
                (None, Address::Local(name)) => return Err(Error::NoAlias(name)),
            }
        }
        Ok(mailboxes)
    }

    /// Returns the alias of a local name, or of an address at this machine unless an account has
    /// that domain. `None` for any other address, and if there is no alias.
    pub fn alias(&self, address: &Address) -> Option<&[Mailbox]> {
        let aliases = &self.file.as_ref()?.aliases;
        match address {
            Address::Local(name) => aliases.of(name),
            Address::Mailbox(mailbox) => {
                let is_known = mailbox.is_at_host(&self.run_id.host) && !self.has_domain(mailbox);
                let name = mailbox.local_part().parse().ok().filter(|_| is_known)?;
                aliases.of(&name)
            }
        }
    }

    /// Returns whether an account's own address has the domain.
    fn has_domain(&self, mailbox: &Mailbox) -> bool {
        let names = self.file.iter().flat_map(|file| file.account.keys());
        let mut own = names.filter_map(|name| sender(&self.account(name, Side::Send).ok()?));
        own.any(|own| own.domain().eq_ignore_ascii_case(mailbox.domain()))
    }

    /// The names of the accounts that can send, and whom they send from.
    pub(super) fn accounts_to_send_with(&self) -> impl Iterator<Item = (&String, Option<Sender>)> {
        let names = self.file.iter().flat_map(|file| file.account.keys());
        names.filter_map(|name| {
            let table = self.account(name, Side::Send).ok()?;
            let can_send = table.server.is_some() || table.submit.is_some();
            can_send.then(|| (name, sender(&table)))
        })
    }

    /// The account of the first of these addresses that is some account's.
    fn sending_account<'a>(
        &self,
        wanted: impl Iterator<Item = &'a Mailbox>,
    ) -> Result<String, Error> {
        let file = self.file.as_ref().ok_or_else(|| self.no_account(Side::Send))?;
        let able: Vec<_> = self.accounts_to_send_with().collect();
        for address in wanted {
            // Of accounts that match alike, the first.
            let mut best = None;
            for (name, from) in &able {
                let Some(found) = from.as_ref().and_then(|from| from.likeness(address)) else {
                    continue;
                };
                if best.is_none_or(|(least, _)| found < least) {
                    best = Some((found, *name));
                }
            }
            if let Some((_, name)) = best {
                return Ok(name.clone());
            }
        }
        if let Some(name) = &file.default {
            return Ok(name.clone());
        }
        match able.as_slice() {
            [] => Err(self.no_account(Side::Send)),
            [(only, _)] => Ok((*only).clone()),
            _ => Err(Error::Ambiguous),
        }
    }
}

/// Returns the address or domain that an account sends from: `from`, else `user` if it has an `@`.
pub(super) fn sender(table: &Table) -> Option<Sender> {
    table.from.clone().or_else(|| table.user.as_deref()?.parse().ok())
}
