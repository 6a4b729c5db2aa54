//! `up` and `down`, with stand-ins for the operator and the simulator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

const PROGRAMS: [&str; 5] = ["etcd", "apiserver", "controller-manager", "graph-sim", "operator"];

/// A folder with the programs, as they are after a build, and run folders in it.
struct Bench {
    folder: PathBuf,
    cleaner: Child,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
        // Links, because a program that was just written may be busy: a fork elsewhere in this process still has it open.
        fs::hard_link(env!("CARGO_BIN_EXE_control-plane"), folder.join("control-plane")).unwrap();
        for name in ["graph-sim", "waba-operator"] {
            fs::hard_link(env!("CARGO_BIN_EXE_stand-in"), folder.join(name)).unwrap();
        }
        // Daemons outlive whoever started them. The cleaner does its work when the pipe closes, however this process ends.
        let cleaner = Command::new("sh")
            .args(["-c", r#"read -r _; for run in */; do ./control-plane down --run-dir "$run"; done; rm -rf "$PWD""#])
            .current_dir(&folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { folder, cleaner }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn run(&self, command: &str, run_folder: &str) -> Output {
        Command::new(self.path("control-plane")).arg(command).env("RUN_DIR", self.path(run_folder)).output().unwrap()
    }

    fn up(&self, run_folder: &str) -> String {
        let output = self.run("up", run_folder);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a shell knows after `source .run/env`, and prints for `script`.
    fn shell(&self, run_folder: &str, script: &str) -> String {
        let script = format!("set -eu; . '{}'; {script}", self.path(run_folder).join("env").display());
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn pids(&self, run_folder: &str) -> BTreeMap<&'static str, String> {
        let read = |name| fs::read_to_string(self.path(run_folder).join(format!("{name}.pid"))).unwrap();
        PROGRAMS.into_iter().map(|name| (name, read(name).trim().to_owned())).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        drop(self.cleaner.stdin.take());
        self.cleaner.wait().unwrap();
    }
}

#[test]
fn up_starts_what_does_not_run_and_down_leaves_nothing() {
    let bench = Bench::new();
    bench.up("one");
    let first = bench.pids("one");
    let servers = bench
        .shell("one", "echo $GRAPH_URL $OPERATOR_URL $(kubectl config view -o jsonpath={.clusters[0].cluster.server})");
    bench.shell("one", "kubectl get namespace waba-system; kubectl get tries; helm version");
    bench.shell("one", "kubectl auth can-i '*' '*'");

    let again = bench.up("one");
    assert_eq!(again.matches("runs already").count(), 5, "{again}");
    assert_eq!(bench.pids("one"), first);

    // Without a moment's rest: a process that was just killed still holds its port and its lock.
    let killed = ["apiserver", "graph-sim"];
    bench.shell("one", &format!("kill -KILL {} {}", first[killed[0]], first[killed[1]]));
    bench.up("one");
    for (name, pid) in bench.pids("one") {
        assert_eq!(pid != first[name], killed.contains(&name), "{name}");
    }
    bench.shell("one", "kubectl get tries");

    let output = bench.run("down", "one");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!bench.path("one").exists());
    for server in servers.split_whitespace() {
        let (_, address) = server.split_once("://").unwrap();
        TcpStream::connect(address).expect_err("it was stopped");
    }
    let nothing = bench.run("down", "one");
    assert!(nothing.status.success(), "nothing to stop is no failure");
    assert!(String::from_utf8_lossy(&nothing.stdout).contains("another RUN_DIR"), "but may be a wrong folder");
}

#[test]
fn several_run_side_by_side() {
    let bench = Bench::new();
    std::thread::scope(|scope| {
        scope.spawn(|| bench.up("one"));
        scope.spawn(|| bench.up("two"));
    });
    bench.shell("one", "kubectl create namespace only-here");
    assert!(bench.run("down", "one").status.success());
    assert_eq!(bench.shell("two", "kubectl get namespace only-here --ignore-not-found"), "");
}

#[test]
fn a_program_that_does_not_start_is_named_with_the_end_of_its_log() {
    let bench = Bench::new();
    fs::remove_file(bench.path("graph-sim")).unwrap();
    fs::write(bench.path("graph-sim"), "#!/bin/sh\necho seed.yaml: line 3 is odd\nexit 3\n").unwrap();
    fs::set_permissions(bench.path("graph-sim"), fs::Permissions::from_mode(0o755)).unwrap();
    let output = bench.run("up", "one");
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("graph-sim") && message.contains("line 3 is odd"), "{message}");
}

#[test]
fn a_folder_with_other_files_is_not_touched() {
    let bench = Bench::new();
    fs::create_dir(bench.path("home")).unwrap();
    fs::write(bench.path("home/thesis.txt"), "precious").unwrap();
    for command in ["up", "down"] {
        let output = bench.run(command, "home");
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("RUN_DIR"));
    }
    assert_eq!(fs::read_dir(bench.path("home")).unwrap().count(), 1);
}
