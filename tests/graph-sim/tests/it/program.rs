//! The program: where it listens, how it ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(args: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graph-sim"));
    Program(command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[tokio::test]
async fn it_says_where_it_listens_and_ends_on_sigterm() {
    let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/demo-seed.yaml");
    let mut program = run(&["--listen", "127.0.0.1:0", "--seed", seed]);
    let mut line = String::new();
    BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let app: serde_json::Value =
        reqwest::get(format!("{url}/_sim/apps/1234567890")).await.unwrap().json().await.unwrap();
    assert_eq!(app["name"], "INO cx WA");
    let ended = Command::new("kill").arg(program.0.id().to_string()).status().unwrap();
    assert!(ended.success());
    assert!(program.0.wait().unwrap().success());
}

#[test]
fn a_wrong_seed_ends_it_with_the_reason() {
    let dir = std::env::temp_dir().join(format!("graph-sim-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let seed = dir.join("seed.yaml");
    std::fs::write(&seed, "apps: [{id: 1}]").unwrap();
    let program = run(&["--listen", "127.0.0.1:0", "--seed", seed.to_str().unwrap()]);
    let mut program = program;
    let stderr = program.0.stderr.take().unwrap();
    assert!(!program.0.wait().unwrap().success());
    let text: String = BufReader::new(stderr).lines().map_while(Result::ok).collect();
    assert!(text.contains("field secret is missing"), "{text}");
    std::fs::remove_dir_all(&dir).unwrap();
}
