//! The jobs of fetch and check: accounts are chosen, tables merged, what is required is there or an
//! error. Opens no Maildir and no connection.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::Settings;
use super::error::Error;
use super::job::{Check, FetchJob, Job, Peer, Side, Target};
use crate::cli::{self};
use crate::config::{self, Sender, Table};
use crate::store::{self, Destination};
use crate::text::{ReversePath, percent_encoded};

/// An account, if it is one of the configuration, and the job of fetching its mail.
pub type AccountJob = (Option<String>, Result<FetchJob, Error>);

impl Settings {
    /// The mailboxes to fetch: those that were named, or all.
    ///
    /// # Errors
    ///
    /// Returns an error if an account is unknown or incomplete, or two are one maildrop.
    pub fn fetch_jobs(&self, args: &cli::Fetch) -> Result<Vec<FetchJob>, Error> {
        self.each_fetch_job(args)?.into_iter().map(|(_, job)| job).collect()
    }

    /// Returns the job of each account to fetch from, or what its configuration lacks: that keeps no
    /// other account from being fetched.
    ///
    /// # Errors
    ///
    /// Returns an error if the command line names no account, or one that is not configured.
    pub fn each_fetch_job(&self, args: &cli::Fetch) -> Result<Vec<AccountJob>, Error> {
        let top = Table {
            maildir: args.maildir.clone(),
            keep: args.keep,
            max_size: args.max_size,
            limit: args.limit,
            ..self.command_line_table(&args.one_off)
        };
        if top.server.is_some() {
            return Ok(vec![(None, self.fetch_job(None, top, args))]);
        }
        if args.one_off.user.is_some() && args.accounts.len() != 1 {
            return Err(Error::UserAlone);
        }
        let accounts: Vec<_> = if args.accounts.is_empty() {
            let all = self.file.iter().flat_map(|file| file.account.keys());
            let has_server = |name: &&String| {
                self.account(name, Side::Fetch).is_ok_and(|table| table.server.is_some())
            };
            all.filter(has_server).cloned().collect()
        } else {
            // One that is named twice is fetched once.
            let mut known = HashSet::new();
            args.accounts.iter().filter(|name| known.insert(*name)).cloned().collect()
        };
        if accounts.is_empty() {
            return Err(self.no_account(Side::Fetch));
        }
        let (mut jobs, mut maildrops) = (Vec::new(), HashMap::new());
        for name in accounts {
            let table = self.account(&name, Side::Fetch)?;
            let job = self.fetch_job(Some(name.clone()), top.clone().over(table), args);
            let job = job.and_then(|job| alone(&mut maildrops, &job.state, &name).map(|()| job));
            jobs.push((Some(name), job));
        }
        Ok(jobs)
    }

    fn fetch_job(
        &self,
        account: Option<String>,
        mut table: Table,
        args: &cli::Fetch,
    ) -> Result<FetchJob, Error> {
        let destination = match (&table.maildir, &table.deliver_command) {
            (None, Some(program)) => Destination::Program(program.words().to_vec()),
            (maildir, _) => {
                let maildir = match maildir {
                    // What is typed is meant from where it is typed, what is configured from home.
                    Some(path) if args.maildir.is_some() || account.is_none() => path.clone(),
                    Some(path) => self.path(path)?,
                    None => self.home()?.join("Maildir"),
                };
                // The journal outlives this run's working directory.
                Destination::Maildir(std::path::absolute(&maildir).unwrap_or(maildir))
            }
        };
        let (after_fetch, keep) = (table.after_fetch.take(), table.keep.unwrap_or_default());
        let (max_size, patience) = (table.max_size, table.patience);
        let limit = table.limit.and_then(|limit| usize::try_from(limit).ok());
        let log_file = table.log_file.as_ref().map(|path| self.path(path)).transpose()?;
        let peer = self.peer(account.as_deref(), table, Side::Fetch)?;
        let mut mailbox = format!(
            "{}@{}",
            percent_encoded(peer.user.as_bytes()),
            percent_encoded(peer.host.as_str().as_bytes())
        );
        // Two tunnels to two servers are two mailboxes, whose unique-ids may be alike.
        if ![995, 110].contains(&peer.port) {
            mailbox = format!("{mailbox}+{}", peer.port);
        }
        let state = self.state()?.join("fetch").join(store::state_name(&mailbox).as_ref());
        let server = self.server_file(&peer).ok_or(Error::NoHome)?;
        let run_id = self.run_id.clone();
        Ok(FetchJob {
            account,
            peer,
            destination,
            after_fetch,
            keep,
            max_size,
            limit,
            all: args.all,
            repeat: args.repeat,
            dry_run: args.dry_run,
            note_only: args.note_only,
            patience,
            log_file,
            mailbox,
            state,
            server,
            run_id,
        })
    }

    /// Returns the file for what is learnt about a server. `None` if this user has no directory for it.
    pub(super) fn server_file(&self, peer: &Peer) -> Option<PathBuf> {
        let host = percent_encoded(peer.host.as_str().as_bytes());
        Some(self.state.as_ref()?.join("server").join(format!("{host}+{}", peer.port)))
    }

    /// Returns the checks of the named accounts, or of all: of each the sides that were asked for,
    /// or those that have a server. A side that is incomplete comes as its error.
    pub fn checks(&self, args: &cli::Check) -> Result<Vec<Check>, Error> {
        let wanted: &[Side] = match (args.fetch, args.send) {
            (true, false) => &[Side::Fetch],
            (false, true) => &[Side::Send],
            _ => &[Side::Fetch, Side::Send],
        };
        if let Some(server) = &args.one_off.server {
            // A host may well be both; a port is one side's.
            let sides = match (server.port, wanted) {
                (Some(port), [_, _]) => {
                    let side = wanted.iter().find(|side| side.default_ports().has(port));
                    vec![*side.ok_or(Error::NoSide(port))?]
                }
                _ => wanted.to_vec(),
            };
            let target = |side| self.job(None, side, args).map(Target::Server);
            let check = |side| Check { account: None, side, target: target(side) };
            return Ok(sides.into_iter().map(check).collect());
        }
        if args.one_off.user.is_some() && args.accounts.len() != 1 {
            return Err(Error::UserAlone);
        }
        let file = self.file.as_ref().ok_or_else(|| self.nothing_to("check"))?;
        let names: Vec<_> = match args.accounts.as_slice() {
            [] => file.account.keys().cloned().collect(),
            named => named.to_vec(),
        };
        let (mut checks, mut maildrops) = (Vec::new(), HashMap::new());
        for name in names {
            let mut sides = Vec::new();
            for &side in wanted {
                let table = self.account(&name, side)?;
                if table.server.is_some() || (side == Side::Send && table.submit.is_some()) {
                    sides.push(side);
                }
            }
            let sides = if sides.is_empty() { wanted } else { &sides };
            for &side in sides {
                let mut target = self.target(&name, side, args);
                if let Ok(Target::Server(Job::Fetch(job))) = &target {
                    let is_alone = alone(&mut maildrops, &job.state, &name);
                    target = is_alone.and(target);
                }
                checks.push(Check { account: Some(name.clone()), side, target });
            }
        }
        if checks.is_empty() { Err(self.nothing_to("check")) } else { Ok(checks) }
    }

    /// Returns what one side of an account is checked against.
    fn target(&self, account: &str, side: Side, args: &cli::Check) -> Result<Target, Error> {
        // What is typed of an account is about a server.
        if side == Side::Send
            && !args.one_off.is_given()
            && let Some(job) = self.service_job(account)?
        {
            return Ok(Target::Service(job));
        }
        self.job(Some(account), side, args).map(Target::Server)
    }

    /// Returns the configuration that makes a working ad-hoc account permanent; `None` for
    /// configured accounts.
    pub fn permanent(&self, args: &cli::Check, checks: &[Check]) -> Option<String> {
        let cli::OneOff { server, user, tls, password_file, password_command, ca_file } =
            &args.one_off;
        let path = |path: &PathBuf| {
            std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string()
        };
        if self.unsaved.is_some() {
            return self.unsaved.clone();
        }
        let server = server.as_ref()?.to_string();
        let line = |key: &str, value: &str| format!("{key} = {}\n", config::quoted(value));
        let name = if args.save { "home".to_owned() } else { self.free_name("home") };
        let mut block = format!("[account.{name}]\n");
        // Two sides share a server; one has it for itself, since the other's is elsewhere.
        let (mut side, mut own) = (Side::Send, String::new());
        if let [only] = checks {
            side = only.side;
            own += &line("server", &server);
        } else {
            block += &line("server", &server);
        }
        if let Some(user) = user {
            block += &line("user", user);
        }
        if let Some(tls) = tls {
            block += &line("tls", tls.name());
        }
        if let Some(file) = ca_file {
            block += &line("ca-file", &path(file));
        }
        match (password_file, password_command) {
            (Some(file), _) => block += &line("password-file", &path(file)),
            (None, Some(command)) => block += &line("password-command", command),
            (None, None) => {
                block += "# password-command = \"...\"    # prints the password; without it, you are asked for it\n";
            }
        }
        let sends = checks.iter().any(|check| check.side == Side::Send);
        let has_address = user.as_ref().is_none_or(|user| user.contains('@'));
        if let Some(from) = &args.from {
            own += &line("from", &from.to_string());
        } else if sends && !has_address {
            own += "# from = \"...\"                # your address, which messages are sent from\n";
        }
        if !own.is_empty() {
            block += &format!("\n[account.{name}.{}]\n{own}", side.purpose());
        }
        Some(block)
    }

    /// Returns the job of one side of an account in a check.
    ///
    /// # Errors
    ///
    /// Returns an error if the account is unknown or incomplete.
    pub fn checked_job(&self, account: &str, side: Side) -> Result<Job, Error> {
        let args = cli::Check::default();
        self.job(Some(account), side, &args)
    }

    pub(super) fn job(
        &self,
        account: Option<&str>,
        side: Side,
        args: &cli::Check,
    ) -> Result<Job, Error> {
        let (account, one_off) = (account.map(str::to_owned), args.one_off.clone());
        Ok(match side {
            Side::Fetch => {
                let accounts = account.into_iter().collect();
                let args = cli::Fetch { accounts, one_off, ..cli::Fetch::default() };
                let mut jobs = self.fetch_jobs(&args)?;
                Job::Fetch(Box::new(jobs.pop().ok_or_else(|| self.nothing_to("check"))?))
            }
            Side::Send => {
                // To log in needs no address, nor does it matter which; only to probe one does.
                let domain = match &account {
                    _ if args.probe_sender => None,
                    None => one_off.server.as_ref().map(|server| server.host.to_string()),
                    Some(name) => match self.account(name, side)?.from {
                        Some(Sender::Anybody(own)) => Some(own.domain().to_owned()),
                        _ => None,
                    },
                };
                let author = domain.and_then(|domain| format!("nobody@{domain}").parse().ok());
                let from = args.from.clone().map(|from| ReversePath::from(from).into());
                let args = cli::Send { account, from, one_off, ..cli::Send::default() };
                Job::Send(Box::new(self.send_job(&args, author.as_slice())?))
            }
        })
    }
}

/// Checks that no account before this one has its maildrop, by the directory of its state.
fn alone(maildrops: &mut HashMap<PathBuf, String>, state: &Path, name: &str) -> Result<(), Error> {
    let first = maildrops.entry(state.to_owned()).or_insert_with(|| name.to_owned());
    if first == name {
        return Ok(());
    }
    Err(Error::SameMaildrop { first: first.clone(), second: name.to_owned() })
}
