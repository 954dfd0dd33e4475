//! The sources of the configuration, and what their errors say.

use std::{collections::BTreeSet, io::Write, path::Path, time::Duration};

use bytesize::ByteSize;
use flightdeck::config::{Config, Flags, HandleFormat, Upstream};

fn environment(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(toml: &str, variables: &[(&str, &str)], flags: &Flags) -> Result<Config, String> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(toml.as_bytes()).expect("written");
    Config::load(Some(file.path()), environment(variables), flags)
        .map_err(|error| error.to_string())
}

#[test]
fn without_any_source_the_defaults_hold() {
    let config = Config::load(None, [], &Flags::default()).expect("valid");
    assert_eq!(config, Config::default());
    assert_eq!((config.server.port, config.metrics.port), (8000, 9090));
}

#[test]
fn the_example_file_names_every_setting_with_its_default() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/flightdeck.toml");
    let text = std::fs::read_to_string(&path).expect("the example");
    let config = Config::load(Some(&path), [], &Flags::default()).expect("valid");
    assert_eq!(config, Config::default());
    // Each line that could be a setting is one, also where it is commented out.
    let uncommented: String = text
        .lines()
        .map(|line| line.strip_prefix("#: ").unwrap_or(line).to_owned() + "\n")
        .collect();
    let all = load(&uncommented, &[], &Flags::default()).expect("valid with every setting");
    let [_, python] = &all.upstream[..] else { panic!("two upstreams: {:?}", all.upstream) };
    assert_eq!(
        *python,
        Upstream {
            name: "python".to_owned(),
            command: python.command.clone(),
            environment: [("LOG_LEVEL".to_owned(), "20".to_owned())].into(),
            directory: Some("/srv/team_b".into()),
            ..Upstream::default()
        },
        "defaults, and variables as they are written"
    );
    for (section, keys) in [
        (
            "server",
            "host port workers max_connections first_byte_timeout body_timeout max_connection_age \
             keepalive_interval keepalive_timeout max_concurrent_streams max_in_flight \
             stream_window connection_window max_frame_size send_buffer max_message_size \
             max_header_size max_pending_resets max_error_resets drain_grace drain_timeout",
        ),
        ("metrics", "host port"),
        ("traces", "endpoint protocol sample_ratio failures timeout stop_timeout"),
        ("log", "format"),
        ("admin", "enabled host port"),
        (
            "tasks",
            "handle max_tasks max_waiting_creates max_adoptions max_result_size \
             get_wait delete_wait orphan_after retention idle_timeout enforce_timeout \
                   persist_for give_up_after create_limit get_limit delete_limit do_limit",
        ),
        ("polling", "first interval jitter max_backoff max_in_flight rate"),
        ("sensor", "interval max_backoff watch_files"),
        (
            "storage",
            "share_for request_timeout connect_timeout max_in_flight max_listing s3 gcs azure",
        ),
        (
            "upstream",
            "name endpoint prefer sensor_modules command workers environment directory wait \
             start_timeout hang_timeout stop_timeout",
        ),
    ] {
        let table: toml::Table = uncommented.parse().expect("TOML");
        let tables = match &table[section] {
            toml::Value::Table(table) => vec![table],
            tables => {
                tables.as_array().expect("sections").iter().flat_map(|t| t.as_table()).collect()
            }
        };
        // A list of sections names each key in one of them.
        let named: BTreeSet<_> = tables.iter().flat_map(|table| table.keys()).collect();
        let mut named: Vec<_> = named.into_iter().map(String::as_str).collect();
        let mut keys: Vec<_> = keys.split_whitespace().collect();
        named.sort_unstable();
        keys.sort_unstable();
        assert_eq!(named, keys, "[{section}]");
    }
}

#[test]
fn flags_override_the_environment_and_the_environment_the_file() {
    let toml = "[server]\nport = 1001\n[metrics]\nport = 1002\n[tasks]\nretention = \"1m\"\n";
    let variables = [
        ("FLIGHTDECK_METRICS__PORT", "2002"),
        ("FLIGHTDECK_SERVER__PORT", "2001"),
        ("FLIGHTDECK_TASKS__ENFORCE_TIMEOUT", "true"),
        ("FLIGHTDECK_SERVER__MAX_MESSAGE_SIZE", "8MiB"),
        ("FLIGHTDECK_POLLING__JITTER", "0.25"),
    ];
    let flags = Flags { port: Some(3001), ..Flags::default() };
    let config = load(toml, &variables, &flags).expect("valid");
    assert_eq!(config.server.port, 3001);
    assert_eq!(config.metrics.port, 2002);
    assert_eq!(config.tasks.retention, Duration::from_secs(60));
    assert!(config.tasks.enforce_timeout);
    assert_eq!(config.server.max_message_size, ByteSize::mib(8));
    assert_eq!(config.polling.jitter, 0.25);
}

#[test]
fn connections_may_stay_for_ever() {
    let toml = "[server]\nmax_connection_age = \"0s\"\ndrain_grace = \"0s\"\n";
    let config = load(toml, &[], &Flags::default()).expect("valid");
    assert_eq!(config.server.max_connection_age, Duration::ZERO);
}

#[test]
fn a_plain_handle_is_a_setting() {
    let config = load("[tasks]\nhandle = \"plain\"\n", &[], &Flags::default()).expect("valid");
    assert_eq!(config.tasks.handle, HandleFormat::Plain);
}

#[test]
fn an_error_names_the_key_the_value_and_what_is_allowed() {
    for (toml, parts) in [
        ("[server]\nport = 70000\n", &["server.port", "70000"][..]),
        ("[server]\nport = \"http\"\n", &["server.port", "http"]),
        ("[tasks]\nretention = \"soon\"\n", &["tasks.retention", "soon"]),
        ("[tasks]\nhandle = \"raw\"\n", &["tasks.handle", "raw", "envelope", "plain"]),
        ("[tasks]\nretantion = \"1m\"\n", &["retantion", "retention"]),
        ("[task]\n", &["task", "tasks"]),
        ("[tasks]\nmax_tasks = 0\n", &["tasks.max_tasks", "0", "from 1"]),
        ("[tasks]\nget_wait = \"9999999h\"\n", &["tasks.get_wait", "to \"1year\""]),
        ("[polling]\njitter = 2.0\n", &["polling.jitter", "2.0", "0.5"]),
        ("[polling]\ninterval = \"5m\"\n", &["polling.max_backoff", "2m", "from \"5m\""]),
        ("[server]\nmax_message_size = \"lots\"\n", &["server.max_message_size", "lots"]),
        ("[server]\nmax_connections = 0\n", &["server.max_connections", "0", "from 1"]),
        ("[server]\nmax_connection_age = \"1ms\"\n", &["max_connection_age", "from \"1s\""]),
        ("[server]\nmax_header_size = \"1GiB\"\n", &["server.max_header_size", "1048576"]),
        ("[server]\nstream_window = \"4GiB\"\n", &["server.stream_window", "2147483647"]),
        ("[server]\nmax_frame_size = \"1KiB\"\n", &["server.max_frame_size", "from 16384"]),
        ("[server]\nmax_in_flight = 0\n", &["server.max_in_flight", "0", "from 1"]),
        ("[server]\nport = 9090\n", &["metrics.port", "9090", "server.port"]),
        ("[admin]\nport = 9090\n", &["admin.port", "9090", "metrics.port"]),
        ("[admin]\nhost = \"0.0.0.0\"\n", &["admin.host", "0.0.0.0", "loopback", "port-forward"]),
        (
            "[tasks]\nhandle = \"plain\"\nenforce_timeout = true\n",
            &["tasks.enforce_timeout", "plain"],
        ),
        ("[traces]\nendpoint = \"localhost:4317\"\n", &["traces.endpoint", "http://localhost"]),
        ("[traces]\nprotocol = \"zipkin\"\n", &["traces.protocol", "zipkin", "grpc", "http"]),
        ("[traces]\nsample_ratio = 2.0\n", &["traces.sample_ratio", "2.0", "1.0"]),
        ("[log]\nformat = \"xml\"\n", &["log.format", "xml", "human", "json"]),
        ("[storage]\nmax_in_flight = 0\n", &["storage.max_in_flight", "0", "from 1"]),
        ("[storage.s3]\nname = \"b\"\n", &["storage.s3.name", "\"b\"", "own section"]),
        ("[[storage.s3.bucket]]\n", &["storage.s3.bucket", "has a name"]),
        ("[storage.gcs]\nendpoint = \"gcs:443\"\n", &["storage.gcs.endpoint", "https://"]),
        ("[storage.azure]\naccount = \"x\"\n", &["account", "account_name"]),
        ("[tasks\n", &["line 1"]),
        ("[[upstream]]\n", &["upstream[0].name", "1 to 64"]),
        ("[[upstream]]\nname = \"a b\"\n", &["upstream[0].name", "a b"]),
        ("[[upstream]]\nname = \"a\"\n", &["upstream[0].endpoint", "address", "command"]),
        (
            "[[upstream]]\nname = \"a\"\nendpoint = \"b:1\"\ncommand = [\"c\"]\n",
            &["upstream[0].command", "endpoint too"],
        ),
        (
            "[[upstream]]\nname = \"a\"\nendpoint = \"localhost\"\n",
            &["endpoint", "localhost", "no valid port"],
        ),
        (
            "[[upstream]]\nname = \"a\"\nendpoint = \"b:1\"\nworkers = 2\n",
            &["upstream[0].workers", "2", "with a command"],
        ),
        (
            "[[upstream]]\nname = \"a\"\nendpoint = \"b:1\"\n\
             [[upstream]]\nname = \"a\"\nendpoint = \"b:2\"\n",
            &["upstream[1].name", "another upstream has it"],
        ),
        ("[[upstream]]\nname = \"a\"\ncommand = [\"b\"]\n", &["upstream[0].command", "{port}"]),
        (
            "[[upstream]]\nname = \"a\"\ncommand = [\"b\", \"{port}\"]\nworkers = 65\n",
            &["upstream[0].workers", "65", "to 64"],
        ),
        (
            "[[upstream]]\nname = \"a\"\ncommand = [\"b\", \"{port}\"]\nhang_timeout = \"0s\"\n",
            &["upstream[0].hang_timeout", "from \"1s\""],
        ),
    ] {
        let error = load(toml, &[], &Flags::default()).expect_err(toml);
        for part in parts {
            assert!(error.contains(part), "{toml:?} gives {error:?}, without {part:?}");
        }
    }
}

#[test]
fn a_variable_that_is_no_setting_is_an_error_but_flags_and_those_of_kubernetes_are_not() {
    let others = [
        ("FLIGHTDECK_PORT", "tcp://10.0.0.1:8000"),
        ("FLIGHTDECK_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("FLIGHTDECK_SERVICE_HOST", "10.0.0.1"),
        ("FLIGHTDECK_CONFIG", "/etc/flightdeck.toml"),
        ("FLIGHTDECK_ENDPOINT", "http://flightdeck:8000"),
    ];
    let config = load("", &others, &Flags::default()).expect("valid");
    assert_eq!(config, Config::default());
    let error =
        load("", &[("FLIGHTDECK_RETENTION", "1m")], &Flags::default()).expect_err("no section");
    assert!(error.contains("FLIGHTDECK_RETENTION"), "{error}");
    let error =
        load("", &[("FLIGHTDECK_TASKS__RETANTION", "1m")], &Flags::default()).expect_err("no key");
    assert!(error.contains("retantion"), "{error}");
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let missing = Path::new("/nowhere/flightdeck.toml");
    let error = Config::load(Some(missing), [], &Flags::default()).expect_err("missing");
    assert!(error.to_string().contains("/nowhere/flightdeck.toml"), "{error}");
}
