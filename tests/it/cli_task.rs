//! The client of the command line, as a shell runs it: the binary against
//! services on loopback.

use std::{fs, net::SocketAddr, path::Path, process::Stdio, time::Duration};

use flightdeck::{
    config::Config,
    connector::{Phase, Resource},
    wire::{flyteidl::core::LiteralMap, literal},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
    time::timeout,
};

use crate::common::{
    backend::{Backend, Does},
    service::{LIMIT, TestService},
};

// The life of a task, command by command.

#[tokio::test]
async fn a_sensor_is_created_watched_read_about_and_deleted() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("ready");
    let shell = Shell::new();
    let created = shell.run(&["create", "--type", "sensor", "--input", &path_input(&file)]).await;
    assert_eq!((created.status, created.stderr.as_str()), (0, ""));
    let handle = created.stdout.trim_end();
    assert!(!handle.is_empty() && handle.chars().all(is_url_safe), "{handle:?}");

    let task = [handle, "--type", "sensor"];
    assert_eq!(shell.about("get", &task, &[]).await.text(), (0, "phase: RUNNING\n"));
    let mut watch = shell.watch(&task).await;
    watch.says("RUNNING").await;
    fs::write(&file, "").expect("a file");
    assert_eq!(watch.end().await.text(), (0, "phase: SUCCEEDED\n"));

    let logs = shell.about("logs", &task, &[]).await;
    let lines: Vec<_> = logs.stdout.lines().collect();
    assert_eq!(logs.status, 0);
    assert!(lines[0].ends_with("Z created"), "{lines:?}");
    assert!(lines.iter().any(|line| line.ends_with("ended: SUCCEEDED")), "{lines:?}");
    for _ in 0..2 {
        assert_eq!(shell.about("delete", &task, &[]).await.text(), (0, "deleted\n"));
    }
}

#[tokio::test]
async fn watch_ends_with_a_status_by_phase_and_get_does_not() {
    let shell = Shell::new();
    for (phase, status) in [
        (Phase::Succeeded, 0),
        (Phase::Failed, 10),
        (Phase::RetryableFailed, 11),
        (Phase::Aborted, 12),
    ] {
        shell.backend.job_is(phase);
        let handle = shell.create(&["--type", "job"]).await;
        let task = [handle.as_str(), "--type", "job"];
        let watched = shell.about("watch", &task, &["--interval", "20ms"]).await;
        assert_eq!(watched.status, status, "{watched:?}");
        let phase = format!("phase: {}\n", phase.as_str_name());
        assert!(watched.stdout.starts_with(&phase), "{watched:?}");
        assert!(watched.stderr.contains("Console: http://backend/"), "{watched:?}");
        assert_eq!(shell.about("get", &task, &[]).await.status, 0);
    }
}

#[tokio::test]
async fn run_prints_the_result_of_a_sync_task_and_ends_with_a_status_by_phase() {
    let shell = Shell::new();
    let outputs = LiteralMap { literals: [("o0".to_owned(), literal::integer(5))].into() };
    let succeeded = Resource::new(Phase::Succeeded).with_message("done").with_outputs(outputs);
    shell.backend.on_get(Does::Answers(succeeded));
    let ran = shell.run(&["run", "--type", "call", "--input", "x:=5"]).await;
    assert_eq!(ran.text(), (0, "phase: SUCCEEDED\nmessage: done\noutput: o0 = 5\n"));
    shell.backend.on_get(Does::Answers(Resource::new(Phase::Failed).with_message("no such host")));
    let ran = shell.run(&["run", "--type", "call"]).await;
    assert_eq!(ran.text(), (10, "phase: FAILED\nmessage: no such host\n"));
}

#[tokio::test]
async fn watch_gives_up_after_its_timeout_and_says_where_the_task_is() {
    let shell = Shell::new();
    let handle = shell.create(&["--type", "job"]).await;
    let task = [handle.as_str(), "--type", "job"];
    let watched = shell.about("watch", &task, &["--timeout", "1s"]).await;
    assert_eq!(watched.text(), (1, ""));
    assert!(watched.stderr.contains("not ended within 1s; it is RUNNING"), "{watched:?}");
}

#[tokio::test]
async fn watch_goes_on_while_the_service_is_away() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("ready");
    let shell = Shell::new();
    let handle = shell.create(&["--type", "sensor", "--input", &path_input(&file)]).await;
    let mut watch = shell.watch(&[&handle, "--type", "sensor"]).await;
    watch.says("RUNNING").await;

    let address = shell.service.grpc;
    shell.service.stop().await.expect("a clean stop");
    watch.says(&format!("cannot reach a connector service at http://{address}")).await;
    let mut config = quick();
    config.server.host = address.ip();
    config.server.port = address.port();
    config.metrics.host = address.ip();
    config.metrics.port = 0;
    let _again = TestService::start_as_is(config, &shell.backend);
    watch.says("the service answers again").await;
    fs::write(&file, "").expect("a file");
    assert_eq!(watch.end().await.text(), (0, "phase: SUCCEEDED\n"));
}

// What is sent.

#[tokio::test]
async fn a_request_of_flytekit_is_sent_as_it_is_from_json_and_from_binary() {
    let shell = Shell::new();
    let fixture =
        |extension| format!("tests/fixtures/flytekit-1.16/file_sensor_local.create.{extension}");
    let json = shell.create(&["--request", &fixture("json")]).await;
    let binary = shell.create(&["--request", &fixture("binpb")]).await;
    assert_eq!(json, binary, "one execution attempt is one task");
    let next = shell.create(&["--request", &fixture("json"), "--attempt", "1"]).await;
    assert_ne!(next, binary, "another attempt is another task");
    let got = shell.about("get", &[&next, "--type", "sensor"], &[]).await;
    assert_eq!(got.text(), (0, "phase: RUNNING\n"));
}

#[tokio::test]
async fn a_handle_is_read_from_stdin_and_in_either_alphabet() {
    let shell = Shell::new();
    let handle = shell.create(&["--type", "job"]).await;
    let mut standard = handle.replace('-', "+").replace('_', "/");
    while standard.len() % 4 != 0 {
        standard.push('=');
    }
    let got = shell.about("get", &[&standard, "--type", "job"], &[]).await;
    assert_eq!(got.status, 0, "{got:?}");
    let got = shell.fed(&["get", "-", "--type", "job"], &format!("{handle}\n")).await;
    assert_eq!(got.status, 0, "{got:?}");
    assert!(got.stdout.starts_with("phase: RUNNING\n"), "{got:?}");
}

// What is printed.

#[tokio::test]
async fn json_is_protobufs_one_object_a_line() {
    let shell = Shell::new();
    let json_of = |ran: Ran| -> Vec<Value> {
        assert_eq!(ran.status, 0, "{ran:?}");
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let created = json_of(shell.run(&["create", "--type", "job", "--output", "json"]).await);
    let handle = created[0]["resourceMeta"].as_str().expect("a handle").to_owned();
    let task = [handle.as_str(), "--type", "job", "--output", "json"];
    let got = json_of(shell.about("get", &task, &[]).await);
    let links = json!([{"uri": "http://backend/1", "name": "Console"}]);
    assert_eq!(got, [json!({"phase": "RUNNING", "logLinks": links})]);
    let logs = json_of(shell.about("logs", &task, &[]).await);
    assert_eq!(logs[0]["message"], "created");
    assert_eq!(logs[0]["originator"], "SYSTEM");
    assert!(logs[0]["timestamp"].is_string(), "{logs:?}");
    let metrics = json_of(shell.about("metrics", &task, &["--query", "polls"]).await);
    assert_eq!(metrics[0]["metric"], "polls");
    assert_eq!(json_of(shell.about("delete", &task, &[]).await), [json!({})]);
}

#[tokio::test]
async fn a_page_of_the_log_ends_with_the_token_of_the_next() {
    let shell = Shell::new();
    shell.backend.job_is(Phase::Succeeded);
    let handle = shell.create(&["--type", "job"]).await;
    let task = [handle.as_str(), "--type", "job"];
    assert_eq!(shell.about("watch", &task, &["--interval", "20ms"]).await.status, 0);
    let page = shell.about("logs", &task, &["--lines", "1"]).await;
    assert_eq!((page.status, page.stderr.as_str()), (0, "more lines follow: --token 1\n"));
    assert!(page.stdout.ends_with("Z created\n"), "{page:?}");
    let rest = shell.about("logs", &task, &["--token", "1"]).await;
    assert!(rest.stdout.ends_with("ended: SUCCEEDED\n"), "{rest:?}");
    let whole = shell.about("logs", &task, &[]).await;
    assert_eq!(whole.stdout, page.stdout + &rest.stdout);
}

#[tokio::test]
async fn a_reader_that_has_left_changes_nothing() {
    let shell = Shell::new();
    shell.backend.job_is(Phase::Failed);
    let handle = shell.create(&["--type", "job"]).await;
    for (command, status) in [("watch", 10), ("get", 0), ("logs", 0)] {
        let mut child = shell.start(&[command, &handle, "--type", "job"]);
        drop(child.stdout.take());
        let ran = Ran::of(child).await;
        assert_eq!(ran.status, status, "{command}: {ran:?}");
        assert!(!ran.stderr.contains("error"), "{command}: {ran:?}");
    }
}

// What goes wrong.

#[tokio::test]
async fn an_error_of_the_service_is_its_code_and_its_text() {
    let shell = Shell::new();
    let ran = shell.run(&["create", "--type", "nothing"]).await;
    assert_eq!(ran.text(), (1, ""));
    let text = "error: NOT_FOUND: Cannot find connector for task type: nothing.\n";
    assert_eq!(ran.stderr, text);
    let handle = shell.create(&["--type", "job"]).await;
    let ran = shell.about("watch", &[&handle, "--type", "nothing"], &[]).await;
    assert_eq!((ran.status, ran.stderr.as_str()), (1, text), "watch does not go on for ever");
}

#[tokio::test]
async fn a_service_that_is_not_there_is_named_with_what_to_do() {
    let shell = Shell::new();
    let address = shell.service.grpc;
    shell.service.stop().await.expect("a clean stop");
    let ran = run_at(address, &["create", "--type", "job"]).await;
    assert_eq!(ran.text(), (1, ""));
    for part in [&address.to_string(), "Connection refused", "flightdeck serve", "--endpoint"] {
        assert!(ran.stderr.contains(part), "{part}: {ran:?}");
    }
}

#[tokio::test]
async fn a_call_ends_at_its_deadline() {
    let shell = Shell::new();
    shell.backend.on_get(Does::Hangs);
    let ran = shell.run(&["run", "--type", "call", "--deadline", "200ms"]).await;
    assert_eq!(ran.text(), (1, ""));
    assert!(ran.stderr.starts_with("error: DEADLINE_EXCEEDED: "), "{ran:?}");
    assert!(ran.stderr.contains("within 200ms"), "{ran:?}");
}

#[tokio::test]
async fn arguments_without_sense_are_usage_errors_that_say_why() {
    let shell = Shell::new();
    for (arguments, input, reason) in [
        (&["get", "{}", "--type", "job"][..], "", "not base64: it has '{'"),
        (&["get", "", "--type", "job"], "", "the handle is empty"),
        (&["delete", "QQ=Q", "--type", "job"], "", "not whole base64"),
        (&["get", "-", "--type", "job"], "{}", "not base64: it has '{'"),
        (&["get", "QQ"], "", "--type"),
        (&["create", "--type", "job", "--input", "x"], "", "there is no ="),
        (&["create", "--request", "/nowhere"], "", "cannot read --request /nowhere"),
        (&["create", "--request", "-"], "{\"tpye\": 1}", "tpye"),
        (&["create", "--type", "job", "--deadline", "10"], "", "time unit needed"),
    ] {
        let ran = shell.fed(arguments, input).await;
        assert_eq!(ran.text(), (2, ""), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(reason), "{arguments:?}: {ran:?}");
    }
}

// What the tests share.

/// A service, and the commands that are sent to it.
struct Shell {
    service: TestService,
    backend: Backend,
}

/// A command that has ended.
#[derive(Debug)]
struct Ran {
    status: i32,
    stdout: String,
    stderr: String,
}

/// A `task watch` that runs, and what it says on stderr.
struct Watch {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Shell {
    fn new() -> Self {
        let backend = Backend::new();
        Self { service: TestService::start(quick(), &backend), backend }
    }

    fn start(&self, arguments: &[&str]) -> Child {
        start_at(self.service.grpc, arguments)
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        run_at(self.service.grpc, arguments).await
    }

    /// Runs a command about a task.
    async fn about(&self, command: &str, task: &[&str], flags: &[&str]) -> Ran {
        self.run(&[&[command], task, flags].concat()).await
    }

    /// Runs a command with this text on its stdin.
    async fn fed(&self, arguments: &[&str], text: &str) -> Ran {
        let mut child = self.start(arguments);
        let mut stdin = child.stdin.take().expect("a pipe");
        // A command that needs no input may have ended before it was written.
        let _ = stdin.write_all(text.as_bytes()).await;
        drop(stdin);
        Ran::of(child).await
    }

    /// Creates a task and returns its handle.
    async fn create(&self, flags: &[&str]) -> String {
        let ran = self.run(&[&["create"], flags].concat()).await;
        assert_eq!(ran.status, 0, "{ran:?}");
        ran.stdout.trim_end().to_owned()
    }

    async fn watch(&self, task: &[&str]) -> Watch {
        let mut child = self.start(&[&["watch"], task, &["--interval", "20ms"]].concat());
        let stderr = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        Watch { child, stderr }
    }
}

impl Ran {
    async fn of(child: Child) -> Self {
        let output = timeout(LIMIT, child.wait_with_output()).await;
        let output = output.expect("the command has an end").expect("its output");
        Self {
            status: output.status.code().expect("an end without a signal"),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// The exit status and what stdout got.
    fn text(&self) -> (i32, &str) {
        (self.status, &self.stdout)
    }
}

impl Watch {
    /// Waits for a line with this in it.
    async fn says(&mut self, what: &str) {
        loop {
            let line = timeout(LIMIT, self.stderr.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("it does not say {what:?}"));
            let line = line.expect("text").unwrap_or_else(|| panic!("it ended before {what:?}"));
            if line.contains(what) {
                return;
            }
        }
    }

    async fn end(self) -> Ran {
        Ran::of(self.child).await
    }
}

/// A configuration whose polls do not keep a test waiting.
fn quick() -> Config {
    let mut config = Config::default();
    config.polling.first = Vec::new();
    config.polling.interval = Duration::from_millis(50);
    config
}

fn start_at(address: SocketAddr, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_flightdeck"))
        .arg("task")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("FLIGHTDECK_ENDPOINT", address.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary runs")
}

async fn run_at(address: SocketAddr, arguments: &[&str]) -> Ran {
    Ran::of(start_at(address, arguments)).await
}

fn path_input(path: &Path) -> String {
    format!("path={}", path.display())
}

fn is_url_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}
