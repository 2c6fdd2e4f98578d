//! `orderd user`, `orderd api-key` and `orderd signing-key`, with and without a running server.

use crate::support::TestDir;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The file for the server's log.
const LOG: &str = "log";
const PASSWORD: &str = "a long and private phrase";

/// A running server. Dropping it kills the process.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(dir: &TestDir) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_orderd"))
            .args(["serve", "--db", "shop.db", "--listen", "127.0.0.1:0", "--log-level", "trace"])
            .current_dir(dir.path())
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(File::create(dir.path().join(LOG)).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self { child, address }
    }

    /// Sends a request and returns the whole response.
    fn send(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let request = format!(
            "{head}\r\nhost: shop\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn log_in(&self, email: &str, password: &str) -> String {
        self.send("POST /v1/auth/login HTTP/1.1", &format!(r#"{{"email":"{email}","password":"{password}"}}"#))
    }

    fn me(&self, token: &str) -> String {
        self.send(&format!("GET /v1/auth/me HTTP/1.1\r\nauthorization: Bearer {token}"), "")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn access_token(answer: &str) -> String {
    let rest = answer.split_once(r#""access_token":""#).unwrap_or_else(|| panic!("{answer}")).1;
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn no_log_line_holds_a_secret() {
    let dir = TestDir::new();
    dir.run_fed(&format!("{CREATE} --create"), PASSWORD);
    let made = dir.run("api-key create --db shop.db --user ada@example.com --name export --permission orders:read");
    let secret = made.out.trim().split_once(' ').unwrap().1;
    let server = Server::start(&dir);
    let login = server.log_in("ada@example.com", PASSWORD);
    let (access, refresh) = (access_token(&login), refresh_token(&login));
    server.log_in(PASSWORD, PASSWORD);
    server.me(secret);
    server.me(&access);
    let again = server.send("POST /v1/auth/refresh HTTP/1.1", &format!(r#"{{"refresh_token":"{refresh}"}}"#));
    drop(server);
    let log = fs::read_to_string(dir.path().join(LOG)).unwrap();
    assert!(log.contains("\"operation\":\"auth.refresh\""), "{log}");
    for secret in [PASSWORD, secret, &access, &refresh, &access_token(&again), &refresh_token(&again)] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

fn refresh_token(answer: &str) -> String {
    let rest = answer.split_once(r#""refresh_token":""#).unwrap_or_else(|| panic!("{answer}")).1;
    rest.split('"').next().unwrap().to_owned()
}

fn signing_key_of(token: &str) -> &str {
    token.split('.').next().unwrap()
}

const CREATE: &str = "user create --db shop.db --email ada@example.com --name Ada --role admin --password-stdin";

#[test]
fn a_user_created_offline_can_log_in() {
    let dir = TestDir::new();
    let elsewhere = dir.run_fed(CREATE, PASSWORD);
    let asked = "orderd: shop.db: there is no such file; `--create` creates it\n";
    assert_eq!((elsewhere.code, elsewhere.err.as_str()), (1, asked));
    assert!(!dir.path().join("shop.db").exists(), "a wrong path makes no database");
    let made = dir.run_fed(&format!("{CREATE} --create"), &format!("{PASSWORD}\n"));
    assert!(made.code == 0 && made.out.starts_with("usr_"), "{made:?}");
    let again = dir.run_fed(CREATE, PASSWORD);
    assert_eq!((again.code, again.err.as_str()), (1, "orderd: The e-mail address is in use\n"));
    let weak = dir.run_fed(&CREATE.replace("ada@", "grace@"), "short");
    assert_eq!((weak.code, weak.err.as_str()), (2, "orderd: password must have at least 15 characters\n"));
    let server = Server::start(&dir);
    assert!(server.log_in("ada@example.com", PASSWORD).starts_with("HTTP/1.1 200"));
    let listed = dir.run("user list --db shop.db");
    let expected = format!("{}\tada@example.com\tadmin\tactive\tAda\n", made.out.trim());
    assert_eq!((listed.code, listed.out), (0, expected), "{}", listed.err);
    for command in [
        CREATE,
        "user disable --db shop.db --email ada@example.com",
        "api-key revoke --db shop.db key_00000000000000000000000000",
    ] {
        let refused = dir.run_fed(command, PASSWORD);
        let expected = format!("orderd: shop.db: in use by another orderd, process {}\n", server.child.id());
        assert_eq!((refused.code, refused.err), (3, expected));
    }
}

#[test]
fn passwords_are_set_and_users_disabled_except_the_last_admin() {
    let dir = TestDir::new();
    dir.run_fed(&format!("{CREATE} --create"), PASSWORD);
    let staff = CREATE.replace("ada@", "grace@").replace("admin", "staff");
    assert_eq!(dir.run_fed(&staff, PASSWORD).code, 0);
    let last = dir.run("user disable --db shop.db --email ada@example.com");
    assert_eq!((last.code, last.err.as_str()), (1, "orderd: The last administrator cannot be removed\n"));
    let set = dir.run_fed("user passwd --db shop.db --email ada@example.com --password-stdin", "quite another phrase");
    assert_eq!((set.code, set.err.as_str()), (0, ""));
    assert_eq!(dir.run("user disable --db shop.db --email grace@example.com").code, 0);
    assert_eq!(dir.run("user enable --db shop.db --email grace@example.com").code, 0);
    assert!(dir.run("user list --db shop.db").out.contains("grace@example.com\tstaff\tactive\t"));
    assert_eq!(dir.run("user disable --db shop.db --email grace@example.com").code, 0);
    let way_back = "user passwd --db shop.db --email ada@example.com --password-stdin --end-second-factor";
    assert_eq!(dir.run_fed(way_back, "quite another phrase").code, 0);
    let unknown = dir.run("user disable --db shop.db --email eve@example.com");
    assert_eq!((unknown.code, unknown.err.as_str()), (1, "orderd: No user has this address.\n"));
    assert_eq!(dir.run("user disable --db other.db --email eve@example.com").code, 1);
    assert!(!dir.path().join("other.db").exists());
    let server = Server::start(&dir);
    assert!(server.log_in("ada@example.com", PASSWORD).starts_with("HTTP/1.1 401"));
    assert!(server.log_in("ada@example.com", "quite another phrase").starts_with("HTTP/1.1 200"));
    assert!(server.log_in("grace@example.com", PASSWORD).starts_with("HTTP/1.1 401"));
}

#[test]
fn api_keys_are_created_listed_and_revoked_offline() {
    let dir = TestDir::new();
    dir.run_fed(&format!("{CREATE} --create"), PASSWORD);
    let made =
        dir.run("api-key create --db shop.db --user ada@example.com --name export --permission orders:read,users:read");
    assert_eq!(made.code, 0, "{made:?}");
    let (id, secret) = made.out.trim().split_once(' ').unwrap();
    let expiring =
        "api-key create --db shop.db --user ada@example.com --name=till --permission orders:read --expires-at";
    assert_eq!(dir.run(&format!("{expiring} 9000-01-01T00:00:00Z")).code, 0);
    {
        let server = Server::start(&dir);
        let listed = dir.run("api-key list --db shop.db");
        assert_eq!((listed.code, listed.err.as_str()), (0, ""), "beside a running server");
        let rows: Vec<Vec<_>> = listed.out.lines().map(|line| line.split('\t').collect()).collect();
        let [export, till] = rows.as_slice() else { panic!("{rows:?}") };
        let user = dir.run("user list --db shop.db").out;
        assert_eq!((export[0], export[2], export[7]), (id, "orders:read,users:read", "export"));
        assert!(secret.starts_with(export[1]) && !listed.out.contains(secret), "{export:?}");
        assert!(user.starts_with(&format!("{}\t", export[3])) && export[4].starts_with("20"), "{export:?}");
        assert_eq!((export[5], export[6]), ("-", "-"), "no expiry, never used");
        assert!(till[5].starts_with("9000-01-01T00:00:00") && till[7] == "till", "{till:?}");
        let listed = dir.run("api-key list --db shop.db");
        assert_eq!((listed.code, listed.err.as_str()), (0, ""), "beside a running server");
        let rows: Vec<Vec<_>> = listed.out.lines().map(|line| line.split('\t').collect()).collect();
        let [export, till] = rows.as_slice() else { panic!("{rows:?}") };
        let user = dir.run("user list --db shop.db").out;
        assert_eq!((export[0], export[2], export[7]), (id, "orders:read,users:read", "export"));
        assert!(secret.starts_with(export[1]) && !listed.out.contains(secret), "{export:?}");
        assert!(user.starts_with(&format!("{}\t", export[3])) && export[4].starts_with("20"), "{export:?}");
        assert_eq!((export[5], export[6]), ("-", "-"), "no expiry, never used");
        assert!(till[5].starts_with("9000-01-01T00:00:00") && till[7] == "till", "{till:?}");
        let me = server.me(secret);
        assert!(me.starts_with("HTTP/1.1 200") && me.contains(r#""permissions":["orders:read","users:read"]"#), "{me}");
    }
    assert_eq!(dir.run(&format!("api-key revoke --db shop.db {id}")).code, 0);
    let listed = dir.run("api-key list --db shop.db");
    assert!(listed.out.lines().count() == 1 && !listed.out.contains(id), "a revoked key is not listed: {}", listed.out);
    let listed = dir.run("api-key list --db shop.db");
    assert!(listed.out.lines().count() == 1 && !listed.out.contains(id), "a revoked key is not listed: {}", listed.out);
    assert!(Server::start(&dir).me(secret).starts_with("HTTP/1.1 401"));
    let own = dir.run("api-key create --db shop.db --user ada@example.com --name x --permission orders:read_own");
    assert_eq!(own.code, 2, "{own:?}");
}

#[test]
fn a_running_server_takes_over_a_rotated_signing_key() {
    let dir = TestDir::new();
    dir.run_fed(&format!("{CREATE} --create"), PASSWORD);
    let server = Server::start(&dir);
    let old = access_token(&server.log_in("ada@example.com", PASSWORD));
    let rotated = dir.run("signing-key rotate --db shop.db");
    assert_eq!((rotated.code, rotated.err.as_str()), (0, ""));
    let deadline = Instant::now() + Duration::from_secs(10);
    let new = loop {
        let token = access_token(&server.log_in("ada@example.com", PASSWORD));
        if signing_key_of(&token) != signing_key_of(&old) {
            break token;
        }
        assert!(Instant::now() < deadline, "the server does not use the new key");
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(server.me(&old).starts_with("HTTP/1.1 200"), "tokens of the old key stay valid");
    assert!(server.me(&new).starts_with("HTTP/1.1 200"));
    assert_eq!(dir.run("signing-key rotate --db elsewhere.db").code, 1);
}
