//! A child process that cannot outlive us, whatever happens to us.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Error;
use crate::error::Context;
use crate::log;

/// Starts the command and waits for two things: that the command ends, or that the pipe on standard input closes, which
/// the kernel does for us when our process ends, even by SIGKILL. Then the command is killed, and the folder `$1`, if one is
/// given, removed. A command that ends by itself leaves the folder, because its log is in it, and so does one that is killed
/// because of a line on standard input: it is to be started again.
const SCRIPT: &str = r#"
folder=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
(read -r _ <&3; closed=$?; trap '' TERM; kill -KILL $child; [ $closed -ne 0 ]) &
watcher=$!
wait $child; status=$?
kill $watcher 2>/dev/null
wait $watcher && [ -n "$folder" ] && rm -rf "$folder"
exit $status
"#;

/// A running program under its guard. Dropping it kills the program and waits until it is gone.
#[derive(Debug)]
pub(crate) struct Guarded {
    name: &'static str,
    log: PathBuf,
    guard: Child,
}

impl Guarded {
    /// Starts `command` with its output appended to `log`; with `remove`, that folder goes when the program is stopped.
    pub(crate) fn start(
        name: &'static str,
        command: &Command,
        log: PathBuf,
        remove: Option<&Path>,
    ) -> Result<Self, Error> {
        let (output, errors) = log::open(&log)?;
        let guard = Command::new("sh")
            .args(["-c", SCRIPT, "control-plane-guard"])
            .arg(remove.unwrap_or(Path::new("")))
            .arg(command.get_program())
            .args(command.get_args())
            // Its own group: Ctrl-C in a terminal reaches us only, and the pipe does the rest.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .context(|| format!("starting {name}"))?;
        Ok(Self { name, log, guard })
    }

    /// Kills the program and waits until it is gone; the folder stays.
    pub(crate) fn end(&mut self) {
        if let Some(mut stdin) = self.guard.stdin.take() {
            // A guard that has ended already needs no signal.
            let _ = stdin.write_all(b"\n");
            let _ = self.guard.wait();
        }
    }

    /// An error with the end of the log if the program has ended.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        match self.guard.try_wait().context(|| format!("watching {}", self.name))? {
            None => Ok(()),
            Some(status) => Err(Error::Ended { name: self.name, status: status.to_string(), log: self.log_tail() }),
        }
    }

    /// The last lines of the log.
    pub(crate) fn log_tail(&self) -> String {
        log::tail(&self.log)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // The only error is that there is nothing left to wait for.
        let _ = self.guard.wait();
    }
}
