//! `postie import`: other programs' configurations and their memories of fetched messages become
//! accounts and journals. Nothing is run and nothing is connected to; without `--write` nothing is
//! changed either.
//!
//! A file is known by what is in it, not by its name. Each word of msmtp's, mpop's, fetchmail's and
//! getmail's manuals stands in a table of [`vocabulary`]: it becomes a key, or a comment that says why
//! it does not. An unknown word is an error. What was fetched before becomes entries that mean "not to
//! be fetched", which never allow a deletion.

mod account;
mod aliases;
mod document;
mod fetchmail;
mod getmail;
mod memory;
mod mpop;
mod msmtp;
mod rc;
mod source;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

pub use self::account::{Becomes, Keyword};

use self::account::{Account, Found, Memory, Side, path};
use self::aliases::aliases;
use self::document::Aliases;
use self::memory::{Kind, List};
use self::source::Source;
use crate::cli;
use crate::config::{self, File};
use crate::error::{Error, Exit, Failure};
use crate::report::{Report, count};
use crate::settings::{self, FetchJob, Settings};
use crate::store::disk::Os;
use crate::store::{Store, StoreOptions};
use crate::text::{NamedReversePath, Uid, percent_encoded, shown};

/// Every word of the other programs' configurations.
pub fn vocabulary() -> Vec<(&'static str, Vec<&'static Keyword>)> {
    let fetchmail = fetchmail::CHOICES.iter().map(|choice| &choice.keyword).collect();
    vec![
        ("msmtp", rc::COMMON.iter().chain(msmtp::WORDS).collect()),
        ("mpop", rc::COMMON.iter().chain(mpop::WORDS).collect()),
        ("fetchmail", fetchmail),
        ("getmail", getmail::WORDS.iter().collect()),
    ]
}

/// Imports the files that are named.
pub fn import(settings: &Settings, args: &cli::Import, report: &Report) -> Exit {
    match run(settings, args, report) {
        Ok(()) => Exit::Done,
        Err(error) => {
            let account = None;
            report.sole_failure(&Failure {
                command: "import",
                account,
                peer: None,
                error: &error,
                lasting: None,
            });
            (&error).into()
        }
    }
}

fn run(settings: &Settings, args: &cli::Import, report: &Report) -> Result<(), Error> {
    let mut plan = Plan::new(settings, args.write)?;
    for path in &args.files {
        plan.read(path)?;
    }
    plan.settle()?;
    let text = plan.text();
    // What is printed can be read again, or nothing is.
    File::of_text(&text, &settings.config()).map_err(settings::Error::from)?;
    let object = json!({
        "config": text,
        "imported": plan.imported.iter().map(|it| json!({
            "account": it.account,
            "file": it.file,
            "messages": it.uids.len(),
        })).collect::<Vec<_>>(),
        "written": args.write.then(|| settings.config()),
    });
    if args.write {
        plan.write(&text)?;
        let accounts = plan.accounts.iter().filter(|account| account.left.is_none()).count();
        let messages: usize = plan.imported.iter().map(|it| it.uids.len()).sum();
        let sentence = format!(
            "{} written to {}, {} noted as fetched",
            count(accounts, "account"),
            settings.config().display(),
            count(messages, "message"),
        );
        report.result(Some(&sentence), || object)?;
        for line in &plan.warnings {
            report.info(format_args!("import: {line}"));
        }
        Ok(())
    } else if report.is_json() {
        report.object(&object)
    } else {
        report.answer(text.trim_end())
    }
}

/// The messages of an account that another program has fetched.
struct Imported {
    account: String,
    file: PathBuf,
    uids: Vec<Uid>,
}

/// The results of an import, to be printed or written.
struct Plan<'a> {
    settings: &'a Settings,
    writes: bool,
    /// The configuration that is there, if something is to be added to it.
    existing: Option<File>,
    accounts: Vec<Account>,
    default: Option<String>,
    aliases: Aliases,
    remarks: Vec<String>,
    memories: Vec<(PathBuf, Kind, Vec<List>)>,
    imported: Vec<Imported>,
    /// The warnings of a run that writes, where comments may go unread.
    warnings: Vec<String>,
}

impl<'a> Plan<'a> {
    fn new(settings: &'a Settings, writes: bool) -> Result<Self, Error> {
        let path = settings.config();
        let read = || File::read(&path).map_err(settings::Error::from);
        let existing = (writes && path.exists()).then(read).transpose()?;
        Ok(Self {
            settings,
            writes,
            existing,
            accounts: Vec::new(),
            default: None,
            aliases: Aliases::new(),
            remarks: Vec::new(),
            memories: Vec::new(),
            imported: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// Reads one file of any known kind.
    fn read(&mut self, path: &Path) -> Result<(), Error> {
        let source = Source::read(path)?;
        if let Some(kind) = memory::kind(&source) {
            self.memories.push((path.to_owned(), kind, memory::read(&source, kind)?));
            return Ok(());
        }
        let Found { accounts, default, alias_files, remarks } = configuration(&source)?;
        self.accounts.extend(accounts);
        self.default = self.default.take().or(default);
        self.remarks.extend(remarks);
        for (file, line) in alias_files {
            self.read_aliases(&source, &file, line);
        }
        Ok(())
    }

    /// Reads a file of aliases that a configuration names, once.
    fn read_aliases(&mut self, source: &Source, file: &str, line: usize) {
        let from = format!("aliases {} (line {line} of {})", shown(file), source.path.display());
        let read = || -> Result<Source, String> {
            let file = path(file).map_err(str::to_owned)?;
            let file = self.settings.path(Path::new(&file)).map_err(|error| error.to_string())?;
            Source::read(&file).map_err(|error| error.to_string())
        };
        match read() {
            Ok(file) => {
                let (found, remarks) = aliases(&file);
                self.aliases.extend(found);
                for remark in remarks {
                    self.remark_once(remark);
                }
            }
            Err(why) => self.remark_once(format!("{from}: {why}")),
        }
    }

    /// Adds a remark. Several accounts may name one file of aliases.
    fn remark_once(&mut self, remark: String) {
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }

    /// Gives each account its own name, leaves out what could not be loaded, and finds the memories.
    fn settle(&mut self) -> Result<(), Error> {
        let directory = self.settings.config().parent().map(Path::to_owned).unwrap_or_default();
        let mut accounts = std::mem::take(&mut self.accounts);
        let mut maildrops = HashMap::new();
        let mut absent = Vec::new();
        for at in 0..accounts.len() {
            let (before, rest) = accounts.split_at_mut(at);
            let Some(account) = rest.first_mut() else { break };
            rename(account, before);
            if account.password.is_some() {
                let name = percent_encoded(account.name.as_bytes());
                let file = directory.join(format!("{name}.{}.password", account.side.name()));
                account.key("password-file", document::password_file(&file));
            }
            be_careful(account);
            match self.check(account) {
                Err(reason) => account.leave(reason),
                Ok(Some(job)) if account.left.is_none() => {
                    let state = job.state.clone();
                    if let Some(first) = maildrops.get(&state) {
                        account.leave(format!("it is the same maildrop as {first}"));
                    } else {
                        maildrops.insert(state, account.name.clone());
                        let place = self.remember(account, &job)?;
                        absent.extend(place.map(|place| (at, place)));
                    }
                }
                Ok(_) => {}
            }
            if account.password.is_some() && account.left.is_none() {
                account.remark(if self.writes {
                    "its password is in that file"
                } else {
                    "its password is in the imported file; --write moves it to a private file"
                });
            }
        }
        self.accounts = accounts;
        self.match_memories();
        for (at, place) in absent {
            if let Some(account) = self.accounts.get_mut(at)
                && !self.imported.iter().any(|it| it.account == account.name)
            {
                account.remark(&format!(
                    "{} does not exist: the first fetch retrieves all messages, unless `postie fetch \
                     {} --note-only` runs first",
                    place.display(),
                    account.name
                ));
            }
        }
        Ok(())
    }

    /// Checks that an account can be used: returns its fetch, or the reason why not.
    fn check(&self, account: &Account) -> Result<Option<FetchJob>, String> {
        if account.left.is_some() {
            return Ok(None);
        }
        let place = self.settings.config();
        let file =
            File::of_text(&document::table(account), &place).map_err(|error| match error {
                config::Error::Wrong { what, .. } => what,
                error => error.to_string(),
            })?;
        let settings = self.settings.with(file);
        match account.side {
            Side::Fetch => {
                let jobs = settings.fetch_jobs(&only(&account.name));
                jobs.map(|mut jobs| jobs.pop()).map_err(|error| error.to_string())
            }
            Side::Send => {
                let from = "nobody@example.invalid".parse::<NamedReversePath>().ok();
                let account = Some(account.name.clone());
                let args = cli::Send { account, from, ..cli::Send::default() };
                settings.send_job(&args, &[]).map(|_| None).map_err(|error| error.to_string())
            }
        }
    }

    /// Reads the memory that the other program keeps for an account, unless it was named. Returns its
    /// place if there is none.
    fn remember(
        &mut self,
        account: &mut Account,
        job: &FetchJob,
    ) -> Result<Option<PathBuf>, Error> {
        let Some(memory) = account.memory.take() else { return Ok(None) };
        let places = match &memory {
            Memory::File(file) => vec![file.clone()],
            Memory::Named(name, dirs) => dirs.iter().map(|dir| dir.join(name)).collect(),
        };
        let mut found = None;
        for place in &places {
            let place = self.settings.path(place)?;
            if place.exists() {
                found = Some(place);
                break;
            }
        }
        let wanted = (job.peer.user.clone(), job.peer.host.to_string());
        let is_its_own =
            |list: &List| list.owner.as_ref().is_none_or(|owner| is_same(owner, &wanted));
        let is_named = |path: &Path| {
            self.memories.iter().find(|(named, ..)| match &memory {
                Memory::File(_) => named == path,
                Memory::Named(name, _) => named.file_name().is_some_and(|it| it == name.as_str()),
            })
        };
        let place =
            found.as_deref().or(places.first().map(PathBuf::as_path)).unwrap_or(Path::new(""));
        let (file, uids) = if let Some((named, _, lists)) = is_named(place) {
            (named.clone(), uids(lists.iter().filter(|list| is_its_own(list))))
        } else if let Some(place) = found {
            let source = Source::read(&place)?;
            // An empty one remembers nothing, as some are made before the first fetch.
            let lists = match memory::kind(&source) {
                Some(kind) => memory::read(&source, kind)?,
                None if source.octets.is_empty() => Vec::new(),
                None => return Err(source.wrong(1, "not a list of fetched messages")),
            };
            (place, uids(lists.iter().filter(|list| is_its_own(list))))
        } else {
            return Ok(Some(place.to_owned()));
        };
        account.remark(&skipped(uids.len(), &file, self.writes));
        self.imported.push(Imported { account: account.name.clone(), file, uids });
        Ok(None)
    }

    /// The jobs of the imported accounts, else those of the accounts that are configured already.
    fn fetch_jobs(&self) -> Vec<FetchJob> {
        let mut jobs = Vec::new();
        for account in self.accounts.iter().filter(|account| account.left.is_none()) {
            jobs.extend(self.check(account).ok().flatten());
        }
        if jobs.is_empty()
            && let Ok(file) = File::read(&self.settings.config())
        {
            let names: Vec<_> = file.account.keys().cloned().collect();
            let settings = self.settings.with(file);
            for name in names {
                jobs.extend(settings.fetch_jobs(&only(&name)).into_iter().flatten());
            }
        }
        jobs
    }

    /// Gives the named lists that belong to none yet to accounts of this configuration.
    fn match_memories(&mut self) {
        let taken: Vec<_> = self.imported.iter().map(|it| it.file.clone()).collect();
        let jobs = self.fetch_jobs();
        for (path, _, lists) in &self.memories {
            for list in lists {
                let mut is_anybodys = list.owner.is_none() && taken.contains(path);
                for job in jobs.iter().filter(|job| is_of(list, path, job)) {
                    is_anybodys = true;
                    let account = job.account.clone().unwrap_or_default();
                    let is_known = |it: &Imported| it.file == *path && it.account == account;
                    if !self.imported.iter().any(is_known) {
                        let uids = list.uids.clone();
                        let is_it = |it: &&mut Account| it.left.is_none() && it.name == account;
                        let mut fetching =
                            self.accounts.iter_mut().filter(|it| it.side == Side::Fetch);
                        if let Some(account) = fetching.find(is_it) {
                            account.remark(&skipped(uids.len(), path, self.writes));
                        }
                        self.imported.push(Imported { account, file: path.clone(), uids });
                    }
                }
                if !is_anybodys {
                    let whose = match &list.owner {
                        Some((user, host)) => format!("{} at {}", shown(user), shown(host)),
                        None => "there".to_owned(),
                    };
                    let line = format!(
                        "{}: no account fetches from {whose}: its list of {} is left out",
                        path.display(),
                        count(list.uids.len(), "message"),
                    );
                    self.remarks.push(line.clone());
                    self.warnings.push(line);
                }
            }
        }
    }

    /// The configuration, or what is to be added to one.
    fn text(&self) -> String {
        let is_sent_with = |name: &&String| {
            let sends = |account: &Account| account.side == Side::Send && account.left.is_none();
            self.accounts.iter().any(|account| sends(account) && account.name == **name)
        };
        let mut parts = Vec::new();
        match (self.default.as_ref().filter(is_sent_with), &self.existing) {
            (Some(name), None) => parts.push(document::default(name)),
            (Some(name), Some(_)) => {
                let line = document::default(name);
                parts.push(document::comment(&format!(
                    "for the top of this file: {}",
                    line.trim_end()
                )));
            }
            (None, _) => {}
        }
        let remarks: String = self.remarks.iter().map(|remark| document::comment(remark)).collect();
        parts.extend(Some(remarks).filter(|remarks| !remarks.is_empty()));
        if !self.aliases.is_empty() {
            let table = document::aliases(&self.aliases);
            let has_own = self.existing.as_ref().is_some_and(|file| !file.aliases.is_empty());
            parts.push(if has_own {
                let head = document::comment("this file has aliases, to which these may be added:");
                table.lines().fold(head, |text, line| text + &document::comment(line))
            } else {
                table
            });
        }
        parts.extend(self.accounts.iter().map(document::section));
        parts.join("\n")
    }

    /// Writes passwords, journals and the configuration, in this order: wherever this is
    /// interrupted, no account exists before its memory does, and the same import can be run again.
    fn write(&self, text: &str) -> Result<(), Error> {
        let place = self.settings.config();
        let mut whole = File::default();
        if let Some(file) = &self.existing {
            // An account that is there stops everything before anything is written.
            let mut names = self.accounts.iter().map(|account| account.name.clone());
            if let Some(name) = names.find(|name| file.account.contains_key(name)) {
                let error = config::Error::AccountExists { path: place, name };
                return Err(settings::Error::from(error).into());
            }
            whole = File::read(&place).map_err(settings::Error::from)?;
        }
        whole.account.extend(File::of_text(text, &place).map_err(settings::Error::from)?.account);
        let settings = self.settings.with(whole);
        // All accounts together: two of one maildrop would lock each other out.
        match settings.fetch_jobs(&cli::Fetch::default()) {
            Ok(_) | Err(settings::Error::NoAccount { .. } | settings::Error::NoFile { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        for account in self.accounts.iter().filter(|account| account.left.is_none()) {
            if let (Some(password), Some(file)) = (&account.password, account.text("password-file"))
            {
                config::write_secret(Path::new(file), password).map_err(settings::Error::from)?;
            }
        }
        for imported in self.imported.iter().filter(|imported| !imported.uids.is_empty()) {
            for job in settings.fetch_jobs(&only(&imported.account))? {
                note(job, imported.uids.clone())?;
            }
        }
        if self.accounts.is_empty() && self.aliases.is_empty() {
            return Ok(());
        }
        config::append(&place, text).map_err(settings::Error::from)?;
        Ok(())
    }
}

/// The comment on an account with a memory.
fn skipped(messages: usize, file: &Path, writes: bool) -> String {
    format!(
        "{} fetched before, according to {}: skipped{}",
        count(messages, "message"),
        file.display(),
        if writes { "" } else { " after --write" },
    )
}

/// Notes messages in the journal of a maildrop as not to be fetched.
fn note(job: FetchJob, uids: Vec<Uid>) -> Result<(), Error> {
    let (state, destination, run_id) = (job.state, job.destination, job.run_id);
    let options = StoreOptions {
        state,
        destination,
        run_id,
        deletes_at_once: false,
        all: false,
        repeat: false,
    };
    Ok(Store::create(Arc::new(Os), options)?.note_imported(uids)?)
}

/// The arguments of a fetch from one account.
fn only(name: &str) -> cli::Fetch {
    cli::Fetch { accounts: vec![name.to_owned()], ..cli::Fetch::default() }
}

/// Returns whether a list is of the maildrop of a job: by its owner, else by the name that getmail
/// gives to its file.
fn is_of(list: &List, path: &Path, job: &FetchJob) -> bool {
    let (user, host) = (job.peer.user.clone(), job.peer.host.to_string());
    let Some(owner) = &list.owner else {
        let name = getmail::oldmail(&host, u64::from(job.peer.port), &user);
        return path.file_name().is_some_and(|it| it.to_string_lossy() == name);
    };
    is_same(owner, &(user, host))
}

/// Returns whether two maildrops are one, by user and host.
fn is_same((user, host): &(String, String), wanted: &(String, String)) -> bool {
    *user == wanted.0 && host.eq_ignore_ascii_case(&wanted.1)
}

fn uids<'a>(lists: impl Iterator<Item = &'a List>) -> Vec<Uid> {
    lists.flat_map(|list| list.uids.iter().cloned()).collect()
}

/// Leaves messages on the server until it is decided where they go: into the usual Maildir they would
/// come, and be deleted, where the other program had them delivered elsewhere.
fn be_careful(account: &mut Account) {
    let has_place =
        account.keys.iter().any(|(key, _)| ["maildir", "deliver-command"].contains(key));
    let keep = account.text("keep").filter(|keep| *keep != "forever").map(str::to_owned);
    if let Some(keep) = keep.filter(|_| account.side == Side::Fetch && !has_place) {
        account.key("keep", "forever");
        account.remark(&format!(
            "set keep = \"{keep}\", as the other program had it, when `maildir` or `deliver-command` is set"
        ));
    }
}

/// Gives an account a name that none before it has for the same side.
fn rename(account: &mut Account, before: &[Account]) {
    account.name.retain(|c| !c.is_control());
    let is_taken =
        |name: &str| before.iter().any(|other| other.side == account.side && other.name == name);
    if !is_taken(&account.name) {
        return;
    }
    let names = (2..).map(|number| format!("{}-{number}", account.name));
    if let Some(name) = names.into_iter().find(|name| !is_taken(name)) {
        account.name = name;
    }
}

/// Reads a configuration of any of the four programs.
fn configuration(source: &Source) -> Result<Found, Error> {
    source.require_text()?;
    let is_first = |line: &str, words: &[&str]| {
        let first = line.split_whitespace().next().unwrap_or_default();
        words.contains(&first.trim_end_matches(':'))
    };
    let has = |words: &[&str]| {
        source.lines().find(|(_, line)| is_first(line, words)).map(|(number, _)| number)
    };
    if source.lines().any(|(_, line)| line.trim() == "[retriever]") {
        return getmail::read(source);
    }
    if source.lines().any(|(_, line)| line.trim().starts_with("[account.")) {
        return Err(source.wrong(1, "this is a configuration of postie itself"));
    }
    if has(&["account"]).is_some() {
        // The first command that only one of the two has decides.
        let only = |words: &[Keyword]| {
            let words: Vec<_> = words.iter().map(|keyword| keyword.word).collect();
            has(&words)
        };
        return match (only(mpop::WORDS), only(msmtp::WORDS)) {
            (Some(fetches), sends) if sends.is_none_or(|sends| fetches < sends) => {
                mpop::read(source)
            }
            (_, Some(_)) => msmtp::read(source),
            _ if source.is_called("msmtp") => msmtp::read(source),
            _ if source.is_called("mpop") => mpop::read(source),
            _ => Err(source.wrong(
                1,
                "of msmtp or of mpop? Add `from` or `delivery` to an account, or name the file msmtprc \
                 or mpoprc",
            )),
        };
    }
    if has(&["poll", "skip", "server", "set", "defaults"]).is_some() {
        return fetchmail::read(source);
    }
    Err(source.wrong(
        1,
        "neither a configuration of msmtp, mpop, fetchmail or getmail, nor a list of fetched messages",
    ))
}

#[cfg(test)]
mod tests;
