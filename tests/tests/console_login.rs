//! Signing in at the console of the real program: by password, over HTTP and HTTPS, through crashes and reloads.

#![expect(clippy::unwrap_used, reason = "what is unwrapped here is what is tested")]

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use reqwest::Certificate;
use reqwest::blocking::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tests::config::{ADMIN, Config};
use tests::loopback::{HTTP_PORT, Loopback};
use tests::pki::{Authority, Identity};
use tests::program::{self, Bauta};
use tests::scene::{CLIENT, COURIER, Scene};
use tests::tool::repository;
use tests::wait;

const HTTPS_PORT: u16 = 8443;
const PASSWORD: &str = "correct horse battery";

/// What `bauta password` makes of a password on its standard input.
fn hash(password: &str) -> Result<String, String> {
    let mut command = Command::new(program::binary());
    command.arg("password").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap().trim_end().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn user(name: &str, hash: &str, more: &str) -> String {
    format!("name = \"{name}\"\nrole = \"operator\"\npassword_hash = \"{hash}\"\n{more}")
}

/// A browser, as far as this is about.
struct Browser {
    client: Client,
    base: String,
    cookie: String,
    csrf: String,
}

impl Browser {
    fn at(base: String, root: Option<&Path>) -> Self {
        let mut client = Client::builder().no_proxy().timeout(wait::LATER);
        if let Some(root) = root {
            let root = Certificate::from_pem(&std::fs::read(root).unwrap()).unwrap();
            client = client.add_root_certificate(root).tls_built_in_root_certs(false);
        }
        Self { client: client.build().unwrap(), base, cookie: String::new(), csrf: String::new() }
    }

    fn ask(&self, method: &str, path: &str) -> RequestBuilder {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.base));
        let request = request.header("origin", &self.base).header("sec-fetch-site", "same-origin");
        request.header("cookie", format!("bauta_session={}", self.cookie)).header("bauta-csrf", &self.csrf)
    }

    fn try_as(&self, user: &str, password: &str) -> Response {
        let body = json!({"user": user, "password": password}).to_string();
        let request = self.ask("POST", "/v1/session").header("content-type", "application/json");
        request.body(body).send().unwrap()
    }

    /// Signs in; what the cookie came with.
    fn sign_in(&mut self, user: &str) -> String {
        let answer = self.try_as(user, PASSWORD);
        assert_eq!(answer.status(), 201);
        let set = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        let (cookie, attributes) = set.trim_start_matches("bauta_session=").split_once("; ").unwrap();
        let session: Value = serde_json::from_str(&answer.text().unwrap()).unwrap();
        cookie.clone_into(&mut self.cookie);
        session["csrf"].as_str().unwrap().clone_into(&mut self.csrf);
        attributes.to_owned()
    }

    fn is_known(&self) -> bool {
        let status = self.ask("GET", "/v1/session").send().unwrap().status();
        assert!(matches!(status.as_u16(), 200 | 401), "{status}");
        status == 200
    }
}

fn plain(loopback: &Loopback) -> Browser {
    Browser::at(format!("http://{}:{HTTP_PORT}", loopback.server()), None)
}

fn reload(bauta: &Bauta, config: &Config) {
    std::fs::write(bauta.dir().join("bauta.toml"), config.write(bauta.dir())).unwrap();
    let before = bauta.log().matches("reloaded").count();
    bauta.signal(libc::SIGHUP);
    wait::until_true("the reload", wait::LATER, || bauta.log().matches("reloaded").count() > before);
}

#[test]
fn a_password_becomes_a_hash_and_is_not_told() {
    let hash = hash(&format!("{PASSWORD}\n")).unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && hash.lines().count() == 1, "{hash}");
    for wrong in ["", "short\n", &"x".repeat(2000), "two lines of\ntext\n"] {
        let told = self::hash(wrong).unwrap_err();
        assert!(told.starts_with("a password "), "{told}");
        assert!(wrong.is_empty() || !told.contains(wrong.trim_end()), "{told}");
    }
}

#[test]
fn a_session_outlives_a_crash_and_ends_with_its_user() {
    let loopback = Loopback::claim();
    let hash = hash(PASSWORD).unwrap();
    let config = Config::new(&loopback).add("http.user", &user("vera", &hash, "reveal = true"));
    let with_anna = config.clone().add("http.user", &user("anna", &hash, "number = \"+79995550001\""));
    let environment = [("BAUTA_LOG", "trace"), ("BAUTA_LOG_FORMAT", "text")];
    let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let mut bauta = Bauta::start_in(environment, &loopback, &with_anna);
    let (mut anna, mut vera) = (plain(&loopback), plain(&loopback));
    assert_eq!(anna.try_as("anna", "a wrong password").status(), 401);
    let attributes = anna.sign_in("anna");
    assert_eq!(attributes, "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict");
    vera.sign_in("vera");
    bauta.kill_and_restart();
    assert!(anna.is_known() && vera.is_known());
    // She can do her work: put an order in, and look at it.
    let order = json!({"courier": {"number": COURIER}, "client": {"number": CLIENT}}).to_string();
    let put = |csrf: &str| {
        let request = anna.ask("PUT", "/v1/orders/12345").header("content-type", "application/json");
        let mut request = request.body(order.clone()).build().unwrap();
        request.headers_mut().insert("bauta-csrf", csrf.parse().unwrap());
        anna.client.execute(request).unwrap()
    };
    assert_eq!(put("guess").status(), 403);
    let created = put(&anna.csrf);
    assert_eq!(created.status(), 201);
    assert!(!created.text().unwrap().contains(&COURIER[1..]));
    // A number is in the audit log before it is shown; and only she may see it of whom that is said.
    let reveal = |who: &Browser| {
        let request = who.ask("POST", "/v1/reveals").header("content-type", "application/json");
        request.body(json!({"kind": "order", "id": "12345"}).to_string()).send().unwrap()
    };
    assert_eq!(reveal(&anna).status(), 403);
    let shown = reveal(&vera).text().unwrap();
    assert!(shown.contains(&format!("+{COURIER}")), "{shown}");
    bauta.kill_and_restart();
    let (_, audit) = bauta.http_as(ADMIN, "GET", "/v1/audit", None);
    let revealed = audit["items"].as_array().unwrap().iter().find(|entry| entry["what"] == "number.revealed");
    let revealed = revealed.unwrap();
    assert_eq!((&revealed["who"], &revealed["subject"]), (&json!("vera"), &json!("order/12345")));
    reload(&bauta, &config);
    assert!(!anna.is_known() && vera.is_known());
    // Whoever comes back is somebody else.
    reload(&bauta, &with_anna);
    assert!(!anna.is_known() && vera.is_known());
    assert_eq!(vera.ask("DELETE", "/v1/session").send().unwrap().status(), 204);
    assert!(!vera.is_known());
    let log = bauta.log();
    for secret in [PASSWORD, "a wrong password", &anna.cookie, &anna.csrf, &vera.cookie, &hash, ADMIN] {
        assert!(!log.contains(secret), "{secret} stands in the log");
    }
    bauta.assert_no_fault();
}

/// Every path of the document that role operator may read, about this call.
fn readable(call: &str) -> Vec<String> {
    let document = std::fs::read_to_string(repository().join("docs/openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let may = |operation: &Value| {
        operation["x-roles"].as_array().is_some_and(|all| all.contains(&json!("operator")))
    };
    let paths = document["paths"].as_object().unwrap().iter();
    let read = paths.filter(|(_, item)| item.get("get").is_some_and(may)).map(|(path, _)| path);
    read.filter(|path| !["/v1/events", "/v1/ws"].contains(&path.as_str()))
        .map(|path| path.replace("{id}", call).replace("{code}", "12345").replace("{name}", "none"))
        .collect()
}

#[test]
fn after_a_whole_call_an_operator_has_seen_no_number() {
    let hash = hash(PASSWORD).unwrap();
    let scene = Scene::brief(|config| config.add("http.user", &user("anna", &hash, "")));
    let mut anna = plain(&scene.loopback);
    anna.sign_in("anna");
    scene.put_order();
    let read = |call: &str| {
        let mut all = String::new();
        for path in readable(call) {
            for accept in ["application/json", "text/csv", "text/plain", "application/vnd.tcpdump.pcap"] {
                let answer = anna.ask("GET", &path).header("accept", accept).send().unwrap();
                all += &format!("{path} {accept} {:?} {:?}\n", answer.status(), answer.headers());
                all += &String::from_utf8_lossy(&answer.bytes().unwrap());
            }
        }
        for from in [COURIER, CLIENT] {
            let trial =
                json!({"from": "anonymous", "to": tests::config::LINE, "digits": "12345"}).to_string();
            let trial = if from == COURIER { trial.replace("anonymous", from) } else { trial };
            let request = anna.ask("POST", "/v1/simulate").header("content-type", "application/json");
            all += &request.body(trial).send().unwrap().text().unwrap();
        }
        for number in [COURIER, CLIENT] {
            let place = all.find(&number[1..]);
            assert_eq!(place.map(|place| &all[place.saturating_sub(300)..place + 12]), None, "{number}");
        }
        assert!(all.contains("***"), "{all}");
    };
    let (mut out, mut back) = scene.talking(COURIER);
    let (_, calls) = scene.bauta.http_as(ADMIN, "GET", "/v1/calls", None);
    read(calls["items"][0]["id"].as_str().unwrap());
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    read(record["id"].as_str().unwrap());
    scene.bauta.assert_no_fault();
}

/// A program that speaks HTTPS as well, and its authority.
fn secure(loopback: &Loopback) -> (Bauta, Authority, Config) {
    let authority = Authority::new();
    let server = loopback.server();
    let own = authority.vouch("own", &[&server.to_string()]);
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let listen = vec![format!("{server}:{HTTP_PORT}"), format!("https://{server}:{HTTPS_PORT}")];
    let config = Config::new(loopback)
        .set("http.listen", listen)
        .set("http.certificate_file", path(&own.certificate))
        .set("http.key_file", path(&own.key))
        .add("http.user", &user("anna", &hash(PASSWORD).unwrap(), ""));
    (Bauta::start(loopback, &config), authority, config)
}

fn safely(loopback: &Loopback, root: &Path) -> Browser {
    Browser::at(format!("https://{}:{HTTPS_PORT}", loopback.server()), Some(root))
}

/// What the certificate of the server says of itself, as a client that trusts `root` sees it.
fn serial(loopback: &Loopback) -> String {
    let server = format!("{}:{HTTPS_PORT}", loopback.server());
    let shown = Command::new("openssl").args(["s_client", "-connect", &server]).stdin(Stdio::null()).output();
    let shown = String::from_utf8_lossy(&shown.unwrap().stdout).into_owned();
    let begin = shown.find("-----BEGIN CERTIFICATE-----");
    begin.map(|begin| shown[begin..].split("-----END").next().unwrap().to_owned()).unwrap_or_default()
}

#[test]
fn by_https_the_cookie_is_secure_and_the_certificate_is_renewed_in_place() {
    let loopback = Loopback::claim();
    let (bauta, authority, config) = secure(&loopback);
    let mut anna = safely(&loopback, &authority.root());
    assert_eq!(anna.sign_in("anna"), "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure");
    let page = anna.ask("GET", "/").send().unwrap();
    assert_eq!(page.headers()["strict-transport-security"], "max-age=31536000");
    let clear = plain(&loopback).ask("GET", "/").send().unwrap();
    assert_eq!(clear.headers().get("strict-transport-security"), None);
    // What is not TLS is not answered.
    let in_clear = Browser::at(format!("http://{}:{HTTPS_PORT}", loopback.server()), None);
    assert!(in_clear.ask("GET", "/healthz").send().is_err());
    // Somebody who trusts another authority does not talk to us.
    let stranger = Authority::new();
    assert!(safely(&loopback, &stranger.root()).ask("GET", "/healthz").send().is_err());
    let before = serial(&loopback);
    let Identity { certificate, key } = authority.vouch("own", &[&loopback.server().to_string()]);
    reload(&bauta, &config);
    assert_ne!(serial(&loopback), before);
    assert!(safely(&loopback, &authority.root()).ask("GET", "/healthz").send().is_ok());
    assert!(anna.is_known());
    // One that does not fit its key changes nothing.
    let renewed = serial(&loopback);
    std::fs::write(&key, std::fs::read(authority.vouch("other", &["other.test"]).key).unwrap()).unwrap();
    bauta.signal(libc::SIGHUP);
    wait::until_true("the complaint", wait::LATER, || bauta.log().contains("http.certificate_file"));
    assert_eq!(serial(&loopback), renewed);
    assert!(anna.is_known() && certificate.exists());
}

/// A connection from this address.
fn connect(from: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

#[test]
fn whoever_begins_tls_and_never_ends_it_keeps_nobody_out() {
    let loopback = Loopback::claim();
    let (bauta, authority, _config) = secure(&loopback);
    let server = SocketAddr::new(loopback.server(), HTTPS_PORT);
    // More than an address has places for; some say nothing, some the beginning of a ClientHello.
    let mut silent: Vec<TcpStream> = (0..300).map(|_| connect(loopback.attacker(), server)).collect();
    for stream in silent.iter_mut().step_by(2) {
        let _ = stream.write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);
    }
    let mut anna = safely(&loopback, &authority.root());
    anna.sign_in("anna");
    assert!(anna.is_known());
    for stream in &mut silent {
        stream.set_read_timeout(Some(wait::LATER)).unwrap();
        let ended = stream.read(&mut [0; 256]);
        let refused = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
        assert!(matches!(&ended, Ok(0)) || ended.as_ref().is_err_and(refused), "{ended:?}");
    }
    // The places are free again.
    let mut again = connect(loopback.attacker(), server);
    again.set_read_timeout(Some(wait::SOON)).unwrap();
    again.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut alert = [0; 1];
    again.read_exact(&mut alert).unwrap();
    assert_eq!(alert, [0x15], "an alert of TLS answers what is none");
    bauta.assert_no_fault();
}
