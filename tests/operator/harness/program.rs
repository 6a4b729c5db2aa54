//! An operator as a process of its own, which can be killed and paused.

use std::{
    io::Write,
    ops::Deref,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::Arc,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::harness::{
    operator::{LOOK_AGAIN, STOPS_WITHIN, in_time, until},
    pages::Pages,
    seed::{self},
    world::World,
};

/// Replaces itself by the operator, and leaves a child behind that kills the operator when standard input closes
/// without a line: the kernel closes it when the test process ends, however it ends.
const SCRIPT: &str = r#"
exec 3<&0
(read -r _ <&3 || kill -KILL $$) &
exec "$@" </dev/null 3<&-
"#;

/// The flags of the program.
#[derive(Debug, Clone)]
pub struct ProgramSettings {
    pub graph_url: String,
    pub namespaces: Vec<String>,
    pub operator_namespace: String,
    pub kubeconfig: PathBuf,
    pub leader_elect: bool,
    /// Divides its waits.
    pub speedup: u32,
    /// Further flags.
    pub more: Vec<String>,
}

impl ProgramSettings {
    fn command(&self) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", SCRIPT, "waba-operator", env!("CARGO_BIN_EXE_waba-operator"), "run"])
            .args(["--log-format=json", "--listen=127.0.0.1:0"])
            .arg(format!("--graph-url={}", self.graph_url))
            .arg(format!("--operator-namespace={}", self.operator_namespace))
            .arg(format!("--speedup={}", self.speedup))
            .args((!self.namespaces.is_empty()).then(|| format!("--namespaces={}", self.namespaces.join(","))))
            .args(self.leader_elect.then_some("--leader-elect"))
            .args(&self.more)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("WABA_LOG", "debug,waba_operator=trace")
            .envs([("NO_PROXY", "127.0.0.1,localhost"), ("no_proxy", "127.0.0.1,localhost")])
            .env_remove("KUBERNETES_SERVICE_HOST")
            // Two pods have different host names, two processes on one machine do not.
            .env_remove("HOSTNAME");
        command
    }
}

/// Everything that a program logged, also after its end; clones share it.
#[derive(Debug, Clone)]
pub struct Output(Arc<NamedTempFile>);

impl Output {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.0.path()).unwrap()).into_owned()
    }

    /// The operator's own last lines, for failure messages.
    pub fn tail(&self, lines: usize) -> String {
        let text = self.text();
        let own: Vec<&str> = text.lines().filter(|line| line.contains("waba_operator")).collect();
        own[own.len().saturating_sub(lines)..].join("\n")
    }

    /// The address that it logs.
    fn address(&self) -> Option<String> {
        let text = self.text();
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let line = lines.find(|line| line["message"] == "listening")?;
        line["address"].as_str().map(str::to_owned)
    }
}

/// A running program. Dropping it kills it.
pub struct Program {
    child: Child,
    pages: Pages,
    output: Output,
}

impl Deref for Program {
    type Target = Pages;

    fn deref(&self) -> &Pages {
        &self.pages
    }
}

impl Program {
    /// Starts one and waits until it listens.
    pub async fn start(settings: &ProgramSettings) -> Self {
        let file = NamedTempFile::new().unwrap();
        let written = file.reopen().unwrap();
        let mut command = settings.command();
        command.stdin(Stdio::piped()).stdout(written.try_clone().unwrap()).stderr(written);
        let output = Output(Arc::new(file));
        let mut program = Self { child: command.spawn().unwrap(), pages: Pages::at(""), output };
        let listens = async {
            loop {
                if let Some(address) = program.output.address() {
                    return address;
                }
                let ended = program.child.try_wait().unwrap();
                assert!(ended.is_none(), "{ended:?}\n{}", program.log());
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        program.pages = Pages::at(&in_time("the program listens", listens).await);
        program
    }

    /// Its process ID.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Everything that it has logged so far.
    pub fn log(&self) -> String {
        self.output.text()
    }

    /// Its log, which can be read after its end.
    pub fn output(&self) -> Output {
        self.output.clone()
    }

    /// Kills it (SIGKILL), and returns when it is gone.
    pub fn kill(self) {
        drop(self);
    }

    /// Pauses it (SIGSTOP), and returns when it is paused.
    pub async fn pause(&self) {
        kill_process(self.pid(), Signal::STOP).unwrap();
        let news = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        until("the program is paused", async || waitid(WaitId::Pid(self.pid()), news).unwrap().is_some()).await;
    }

    /// Resumes it (SIGCONT).
    pub fn resume(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }

    /// Stops it in order (SIGTERM), and waits until it has stopped.
    pub async fn stop(self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        let output = self.output();
        let ended = tokio::time::timeout(STOPS_WITHIN, self.ended()).await;
        let status = ended.expect("the program stops in time");
        assert!(status.success(), "{status}\n{}", output.text());
    }

    /// Waits until it ends by itself.
    pub async fn ended(mut self) -> ExitStatus {
        let ends = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        in_time("the program ends", ends).await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        if let Some(stdin) = &mut self.child.stdin {
            let _ = stdin.write_all(b"\n");
        }
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_program_is_killed_when_its_test_process_is_gone() {
    let world = World::new("orphan", seed::small()).await;
    let mut program = Program::start(&world.program_settings()).await;
    drop(program.child.stdin.take());
    assert_eq!(program.ended().await.signal(), Some(Signal::KILL.as_raw()));
    world.finish().await;
}
