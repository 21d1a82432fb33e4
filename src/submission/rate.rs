//! The rate of a caller of the submission service (`max-per-hour`), by account.

use std::path::Path;

use crate::error::Error;
use crate::ownership::Caller;
use crate::report::span;
use crate::settings::{NotPermitted, SendJob};
use crate::store::callers::Callers;
use crate::store::disk::Os;

/// Counts a message of a caller against the rate of the job's account, if that has one. `dir` is the
/// directory of the service's callers.
///
/// # Errors
///
/// Returns an error if the caller has sent as many messages within an hour as the account allows, or
/// they cannot be counted: then this one was not.
pub fn count(job: &SendJob, caller: &Caller, dir: &Path) -> Result<(), Error> {
    let (Some(account), Some(most)) = (&job.account, job.permissions.max_per_hour) else {
        return Ok(());
    };
    match Callers::new(&Os, dir).count(account, caller.uid, job.run_id.seconds, most)? {
        None => Ok(()),
        Some(wait) => {
            let (user, wait) = (caller.to_string(), span(wait));
            Err(NotPermitted::TooOften { user, most, wait }.into())
        }
    }
}
