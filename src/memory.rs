//! The memory of this process, which holds passwords and mail: other processes of the same user
//! cannot read it.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Keeps this process's memory from other processes of its user, which could otherwise attach to it
/// (ptrace(2)) or read `/proc/PID/mem` and `/proc/PID/environ`, and from core files. Root is not kept
/// out. Programs that it starts have a memory of their own, to which this does not apply; the limit on
/// core files they inherit.
pub fn make_private() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // A kernel that refuses either is no reason not to send mail.
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
