//! A program that goes on when we end, and that is found again by its pid file.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::Context;
use crate::{Error, log};

/// One program of the estate: `<name>.pid` and `<name>.log` in the run folder.
///
/// The program holds a lock on its pid file, as its standard input, from before it starts until the kernel has ended it. So
/// a pid in a locked file is that program's, and never somebody else's who got the number later.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) name: &'static str,
    folder: PathBuf,
}

impl Daemon {
    pub(crate) fn new(name: &'static str, folder: &Path) -> Self {
        Self { name, folder: folder.to_owned() }
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }

    /// Starts the program unless it runs; returns whether it started it.
    pub(crate) fn ensure(&self, command: &mut Command) -> Result<bool, Error> {
        let path = self.path("pid");
        let what = || format!("writing {}", path.display());
        let pid_file = File::options().create(true).truncate(false).read(true).write(true).open(&path).context(what)?;
        match pid_file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(source)) => return Err(Error::Io { what: what(), source }),
        }
        let (output, errors) = log::open(&self.path("log"))?;
        let locked = pid_file.try_clone().context(what)?;
        let program = command.stdin(locked).stdout(output).stderr(errors).process_group(0);
        let child = program.spawn().context(|| format!("starting {}", self.name))?;
        // The command keeps its own handle, and with it the lock, until it is given something else.
        command.stdin(Stdio::null());
        pid_file.set_len(0).context(what)?;
        writeln!(&pid_file, "{}", child.id()).context(what)?;
        Ok(true)
    }

    /// The pid, if the program runs.
    fn pid(&self) -> Result<Option<Pid>, Error> {
        let path = self.path("pid");
        let what = || format!("reading {}", path.display());
        let file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.context(what)?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::Error(source)) => Err(Error::Io { what: what(), source }),
            Err(TryLockError::WouldBlock) => {
                let text = std::fs::read_to_string(&path).context(what)?;
                Ok(text.trim().parse().ok().and_then(Pid::from_raw))
            }
        }
    }

    /// The end of the log while the program runs, else an error with it.
    pub(crate) fn check(&self) -> Result<String, Error> {
        let pid = self.pid()?;
        // Read after that: what has ended writes no more.
        let log = log::tail(&self.path("log"));
        match pid {
            Some(_) => Ok(log),
            None => Err(Error::Ended { name: self.name, status: "it no longer runs".into(), log }),
        }
    }

    /// Sends SIGTERM, and SIGKILL after `grace`; returns whether the program ran.
    pub(crate) fn stop(&self, grace: Duration) -> Result<bool, Error> {
        let Some(pid) = self.pid()? else { return Ok(false) };
        let signalled = Instant::now();
        // It may end between our look and our signal; then there is nothing to do.
        let _ = kill_process(pid, Signal::TERM);
        while self.pid()? == Some(pid) {
            if signalled.elapsed() > grace {
                let _ = kill_process(pid, Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::fs;

    use rustix::process::test_kill_process;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn wait_for_log(daemon: &Daemon, text: &str) {
        let started = Instant::now();
        while !daemon.check().unwrap().contains(text) {
            assert!(started.elapsed() < MINUTE, "{text:?} never came");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn what_runs_is_left_alone_and_stopped_by_its_pid() {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::new("sleeper", folder.path());
        assert!(daemon.ensure(Command::new("sleep").arg("1000")).unwrap());
        let pid = daemon.pid().unwrap().unwrap();
        assert!(!daemon.ensure(Command::new("sleep").arg("1000")).unwrap());
        assert_eq!(daemon.pid().unwrap(), Some(pid));
        assert_eq!(fs::read_to_string(folder.path().join("sleeper.pid")).unwrap(), format!("{}\n", pid.as_raw_pid()));

        assert!(daemon.stop(MINUTE).unwrap());
        assert_eq!(daemon.pid().unwrap(), None);
        assert!(!daemon.stop(MINUTE).unwrap());
        assert!(daemon.ensure(Command::new("sleep").arg("1000")).unwrap(), "it can be started again");
        daemon.stop(MINUTE).unwrap();
    }

    #[test]
    fn a_pid_that_now_belongs_to_somebody_else_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let mut somebody = Command::new("sleep").arg("1000").spawn().unwrap();
        fs::write(folder.path().join("old.pid"), somebody.id().to_string()).unwrap();
        assert!(!Daemon::new("old", folder.path()).stop(Duration::ZERO).unwrap());
        test_kill_process(Pid::from_child(&somebody)).unwrap();
        assert_eq!(somebody.try_wait().unwrap(), None);
        somebody.kill().unwrap();
        somebody.wait().unwrap();
    }

    #[test]
    fn one_that_does_not_listen_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::new("deaf", folder.path());
        daemon.ensure(&mut shell("trap '' TERM; echo deaf; while :; do sleep 0.05 <&-; done")).unwrap();
        wait_for_log(&daemon, "deaf");
        assert!(daemon.stop(Duration::from_millis(200)).unwrap());
        assert_eq!(daemon.pid().unwrap(), None);
    }

    #[test]
    fn one_that_ended_says_what_it_wrote_last() {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::new("short", folder.path());
        let mut command = shell("echo the port is taken >&2; exit 3");
        daemon.ensure(&mut command).unwrap();
        let started = Instant::now();
        let error = loop {
            match daemon.check() {
                Err(error) => break error.to_string(),
                Ok(_) => assert!(started.elapsed() < MINUTE),
            }
        };
        assert!(error.contains("short") && error.contains("the port is taken"), "{error}");
    }
}
