//! `orderd config`: precedence of layers, origins of values, faults and secrets.

use crate::{
    server::{ADMIN, Server},
    support::TestDir,
};

/// Runs `config show` and returns the line of `key`.
fn shown(dir: &TestDir, variables: &[(&str, &str)], arguments: &str, key: &str) -> String {
    let outcome = dir.run_with(variables, &format!("config show {arguments}"));
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
    let start = format!("{key} = ");
    outcome.out.lines().find(|line| line.starts_with(&start)).unwrap().to_owned()
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_the_defaults() {
    let dir = TestDir::new();
    let show = |variables: &[_], arguments| shown(&dir, variables, arguments, "server.listen");
    assert_eq!(show(&[], ""), r#"server.listen = "127.0.0.1:8080"  # default"#);

    dir.write("orderd.toml", "[server]\nlisten = \"127.0.0.1:1\"\n");
    assert_eq!(show(&[], ""), r#"server.listen = "127.0.0.1:1"  # orderd.toml"#);

    dir.write("other.toml", "server.listen = \"127.0.0.1:2\"\n");
    assert_eq!(show(&[], "--config other.toml"), r#"server.listen = "127.0.0.1:2"  # other.toml"#);

    let variable = [("ORDERD_SERVER__LISTEN", "127.0.0.1:3")];
    assert_eq!(
        show(&variable, "--config other.toml"),
        r#"server.listen = "127.0.0.1:3"  # environment variable ORDERD_SERVER__LISTEN"#
    );
    assert_eq!(show(&variable, "--listen 127.0.0.1:4"), r#"server.listen = "127.0.0.1:4"  # --listen"#);
    let twice = "--set server.listen=127.0.0.1:5 --set server.listen=127.0.0.1:6";
    assert_eq!(show(&variable, twice), r#"server.listen = "127.0.0.1:6"  # --set"#);
}

#[test]
fn every_flag_reaches_its_key() {
    let dir = TestDir::new();
    let flags = "--db a.db --listen [::1]:0 --durability normal --log-format pretty --log-level warn";
    let outcome = dir.run(&format!("config show {flags}"));
    let given: Vec<_> = outcome.out.lines().filter(|line| line.contains("  # --")).collect();
    let expected = [
        r#"server.listen = "[::1]:0"  # --listen"#,
        r#"db.path = "a.db"  # --db"#,
        r#"db.durability = "normal"  # --durability"#,
        r#"log.format = "pretty"  # --log-format"#,
        r#"log.level = "warn"  # --log-level"#,
    ];
    assert_eq!(given, expected);
}

#[test]
fn config_show_prints_a_file_that_gives_the_same_configuration() {
    let dir = TestDir::new();
    let first =
        dir.run("config show --set server.cors_origins=https://a.example,https://b.example --set backup.keep=0");
    dir.write("again.toml", &first.out);
    let again = dir.run("config show --config again.toml");
    let values =
        |text: &str| text.lines().map(|line| line.split("  # ").next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!((again.code, values(&again.out)), (0, values(&first.out)));
}

#[test]
fn every_key_is_explained() {
    let outcome = TestDir::new().run("config keys");
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
    let expected = "idempotency.require_if_match (ORDERD_IDEMPOTENCY__REQUIRE_IF_MATCH)
  Refuses a change to an order without `If-Match`.
  true or false; default false\n";
    assert!(outcome.out.split("\n\n").any(|paragraph| format!("{paragraph}\n") == expected), "{}", outcome.out);
}

#[test]
fn a_valid_configuration_is_reported_as_valid() {
    let outcome = TestDir::new().run("config check");
    assert_eq!((outcome.code, outcome.out.as_str(), outcome.err.as_str()), (0, "configuration is valid\n", ""));
}

#[test]
fn variables_of_kubernetes_are_passed_over_with_a_line_in_the_log() {
    let dir = TestDir::new();
    let variables = [("ORDERD_PORT", "tcp://10.0.0.1:8080"), ("ORDERD_SERVICE_HOST", "10.0.0.1")];
    let checked = dir.run_with(&variables, "config check");
    assert_eq!((checked.code, checked.err.as_str()), (0, ""));
    let server = Server::start(&dir, &[ADMIN[0], ADMIN[1], variables[0], variables[1]], "");
    let log = server.log();
    assert!(log.contains("with two underscores: ORDERD_PORT, ORDERD_SERVICE_HOST"), "{log}");
    server.stop();
}

#[test]
fn unknown_keys_and_bad_values_of_all_layers_are_reported_together() {
    let dir = TestDir::new();
    dir.write("orderd.toml", "[server]\nlisen = \"127.0.0.1:1\"\n[auth]\naccess_ttl = 900\n");
    let variables = [("ORDERD_DB__PTH", "a.db"), ("ORDERD_LIMITS__CONNECTIONS", "lots")];
    let outcome = dir.run_with(&variables, "config check --set log.levle=info --durability fast");
    let expected = r#"orderd: unknown key `server.lisen` in orderd.toml; did you mean `server.listen`?
orderd: unknown key `db.pth` in environment variable ORDERD_DB__PTH; did you mean `db.path` (ORDERD_DB__PATH)?
orderd: unknown key `log.levle` in --set; did you mean `log.level`?
orderd: invalid value "fast" for `db.durability` (--durability): must be one of full, normal
orderd: invalid value 900 for `auth.access_ttl` (orderd.toml): must be a duration from 1s to 30d, such as 500ms, 10s, 15m, 24h or 30d
orderd: invalid value "lots" for `limits.connections` (environment variable ORDERD_LIMITS__CONNECTIONS): must be a whole number from 0 to 1000000
"#;
    assert_eq!((outcome.code, outcome.out.as_str(), outcome.err.as_str()), (2, "", expected));
}

#[test]
fn every_command_refuses_a_bad_configuration() {
    let dir = TestDir::new();
    for command in ["serve", "serve --demo", "config show", "config check"] {
        let outcome = dir.run(&format!("{command} --set db.pth=a.db"));
        let expected = "orderd: unknown key `db.pth` in --set; did you mean `db.path`?\n";
        assert_eq!((outcome.code, outcome.err.as_str()), (2, expected), "{command}");
    }
}

#[test]
fn a_configuration_file_named_by_a_flag_must_exist() {
    let outcome = TestDir::new().run("config check --config none.toml");
    assert_eq!(outcome.code, 2);
    assert!(outcome.err.starts_with("orderd: cannot read none.toml: "), "{}", outcome.err);
}

#[test]
fn passwords_come_from_the_environment_or_a_file_and_are_never_shown() {
    let dir = TestDir::new();
    dir.write("password", "canary-in-a-file\n");
    let email = ("ORDERD_ADMIN_EMAIL", "ada@example.com");
    for secret in [("ORDERD_ADMIN_PASSWORD", "canary-in-a-variable"), ("ORDERD_ADMIN_PASSWORD_FILE", "password")] {
        let outcome = dir.run_with(&[email, secret], "config show");
        assert_eq!(outcome.code, 0, "{}", outcome.err);
        assert!(outcome.out.ends_with("# ORDERD_ADMIN_EMAIL=\"ada@example.com\"\n# ORDERD_ADMIN_PASSWORD=***\n"));
        assert!(!outcome.out.contains("canary"), "{}", outcome.out);
    }

    let outcome = dir.run_with(&[("ORDERD_ADMIN_PASSWORD_FILE", "none")], "config check");
    assert_eq!(outcome.code, 2);
    assert!(outcome.err.starts_with("orderd: ORDERD_ADMIN_PASSWORD_FILE: cannot read none: "), "{}", outcome.err);
    let outcome = dir.run_with(&[("ORDERD_AUTH__PASWORD_MIN_LENGTH", "canary-misspelt")], "config check");
    assert_eq!(outcome.code, 2);
    assert!(outcome.err.contains("did you mean") && !outcome.err.contains("canary"), "{}", outcome.err);
}

#[test]
fn bad_usage_exits_with_2_and_help_with_0() {
    let dir = TestDir::new();
    for arguments in ["", "sell", "serve --fast", "config", "config check --set listen", "config check --listen"] {
        assert_eq!(dir.run(arguments).code, 2, "{arguments}");
    }
    for arguments in ["--help", "--version", "serve --help", "config show --help"] {
        assert_eq!(dir.run(arguments).code, 0, "{arguments}");
    }
}
