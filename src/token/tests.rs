//! Tokens with an authorization server and a disk in memory.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::oauth::Grant;
use crate::store::disk::simulated::{Fault, Simulated};
use crate::tls;

/// An authorization server in memory.
struct Fake {
    now: u64,
    number: u64,
    /// The refresh token that is in force.
    refresh: String,
    rotates: bool,
    lifetime: u64,
    /// What comes next in place of a grant.
    next: Vec<Result<(u16, &'static str), ()>>,
    connections: usize,
    asked: usize,
    /// Called after the server has decided, before the answer arrives.
    tokens: BTreeSet<String>,
}

impl Fake {
    fn new(rotates: bool) -> Self {
        Self {
            now: 1_800_000_000,
            number: 1,
            refresh: "refresh-1".to_owned(),
            rotates,
            lifetime: 3600,
            next: Vec::new(),
            connections: 0,
            asked: 0,
            tokens: BTreeSet::new(),
        }
    }
}

impl AuthorizationServer for Fake {
    fn now(&self) -> u64 {
        self.now
    }

    fn pause(&mut self) -> Duration {
        Duration::from_secs(1)
    }

    fn endpoints(&mut self) -> Result<Endpoints, Error> {
        Ok(endpoints())
    }

    fn connect(&mut self, _: &HttpsUrl) -> Result<(), Error> {
        self.connections += 1;
        Ok(())
    }

    fn ask(&mut self, url: &HttpsUrl, form: Form) -> Result<Response, Error> {
        self.asked += 1;
        match self.next.pop() {
            Some(Ok((status, body))) => return Ok(Response::new(status, body)),
            Some(Err(())) => {
                let error = wire_closed();
                return Err(Error::Unreached { place: Login::place(url), error });
            }
            None => {}
        }
        let is_right = form.has(&format!("refresh_token={}", form_encoded(&self.refresh)))
            || form.has("grant_type=client_credentials");
        if !is_right {
            return Ok(Response::new(400, r#"{"error":"invalid_grant"}"#));
        }
        self.number += 1;
        let access = format!("access-{}", self.number);
        self.tokens.insert(access.clone());
        let mut body = format!(
            r#"{{"access_token":"{access}","token_type":"Bearer","expires_in":{}"#,
            self.lifetime
        );
        if self.rotates {
            self.refresh = format!("refresh-{}", self.number);
            body += &format!(r#","refresh_token":"{}""#, self.refresh);
        }
        Ok(Response::new(200, &(body + "}")))
    }
}

fn wire_closed() -> Unreached {
    let error = crate::wire::Error::Closed(crate::wire::Phase::Answer("POST"));
    Unreached::Http(error.into())
}

fn endpoints() -> Endpoints {
    Endpoints {
        issuer: None,
        names_issuer: false,
        authorize: None,
        token: "https://auth.example/token".parse().unwrap(),
        device: None,
    }
}

const DIR: &str = "/state/login/ann";

fn login() -> Login {
    Login {
        account: "work".to_owned(),
        user: "ann@x.example".to_owned(),
        client: Client {
            id: "id".to_owned(),
            grant: Grant::Code,
            server: Server::Known(Box::new(endpoints())),
            scope: "pop smtp".to_owned(),
            redirect: "http://localhost".parse().unwrap(),
            extras: &[],
        },
        dir: DIR.into(),
        trust: Trust { anchor: tls::TrustAnchor::Webpki, identity: None },
        per_wait: Duration::from_secs(1),
        renewals: Renewals::default(),
    }
}

/// A disk with a login on it, whose token ends in `left` seconds of `lifetime`.
fn disk(login: &Login, server: &Fake, left: u64, lifetime: u64) -> Simulated {
    let disk = Simulated::new(Path::new("/state"));
    let store = login.store(&disk);
    drop(store.lock().unwrap());
    let granted = server.now + left - lifetime;
    store
        .write(&Tokens {
            endpoint: "https://auth.example/token".to_owned(),
            client: "id".to_owned(),
            user: "ann@x.example".to_owned(),
            scope: "smtp pop".to_owned(),
            access: Secret::new("access-1"),
            granted,
            expires: granted + lifetime,
            refresh: Some(Secret::new("refresh-1")),
            since: granted,
            unanswered: None,
        })
        .unwrap();
    disk.settle();
    disk
}

fn renewed(login: &Login, disk: &Simulated, server: &mut Fake) -> Result<String, Error> {
    let access = login.renew(disk, None, None, server)?;
    Ok(access.unwrap().token.expose().to_owned())
}

#[test]
fn a_token_is_renewed_before_it_ends_and_when_the_clock_was_set_back() {
    for (left, lifetime, is_fresh) in [
        (3600, 3600, true),
        (601, 3600, true),
        (600, 3600, false),
        (0, 3600, false),
        (4, 4, true),
        (3, 4, true),
        (2, 4, false),
        // The clock shows a time before the token was granted.
        (3601, 3600, false),
        (90_000, 3600, false),
    ] {
        let (granted, now) = (1_800_000_000, 1_800_000_000 + lifetime - left.min(lifetime));
        let now = if left > lifetime { granted - (left - lifetime) } else { now };
        assert_eq!(
            super::is_fresh(granted, granted + lifetime, now),
            is_fresh,
            "{left}/{lifetime}"
        );
    }
}

#[test]
fn a_new_refresh_token_is_kept_and_without_one_the_old_one_stays() {
    for rotates in [true, false] {
        let (login, mut server) = (login(), Fake::new(rotates));
        let disk = disk(&login, &server, 10, 3600);
        assert_eq!(renewed(&login, &disk, &mut server).unwrap(), "access-2");
        let kept = login.store(&disk).read().unwrap().unwrap();
        let refresh = if rotates { "refresh-2" } else { "refresh-1" };
        assert_eq!(kept.refresh.unwrap().expose(), refresh);
        assert_eq!((kept.access.expose(), kept.unanswered), ("access-2", None));
        // It is used without another question.
        assert_eq!(renewed(&login, &disk, &mut server).unwrap(), "access-2");
        assert_eq!(server.asked, 1);
    }
}

#[test]
fn a_server_that_cannot_answer_now_does_no_harm_while_the_token_lives() {
    let slow_down = r#"{"error":"slow_down"}"#;
    for answer in [
        Ok((500, "<html>")),
        Ok((429, "{}")),
        Ok((400, slow_down)),
        Ok((403, "<html>")),
        Ok((404, "{}")),
        Err(()),
    ] {
        let (login, mut server) = (login(), Fake::new(true));
        let disk = disk(&login, &server, 10, 3600);
        server.next.push(answer);
        assert_eq!(renewed(&login, &disk, &mut server).unwrap(), "access-1");
        server.now += 20;
        server.next.push(answer);
        let error = renewed(&login, &disk, &mut server).unwrap_err();
        match answer {
            Ok((403 | 404, _)) => assert!(matches!(error, Error::NoEndpoint { .. }), "{error}"),
            Ok(_) => assert!(matches!(error, Error::Later { .. }), "{error}"),
            Err(()) => assert!(matches!(error, Error::Unreached { .. }), "{error}"),
        }
        assert_eq!(renewed(&login, &disk, &mut server).unwrap(), "access-2");
    }
}

#[test]
fn a_refusal_after_a_lost_answer_says_that_it_was_lost() {
    let (login, mut server) = (login(), Fake::new(true));
    let disk = disk(&login, &server, 0, 3600);
    server.next.push(Err(()));
    renewed(&login, &disk, &mut server).unwrap_err();
    // The server has replaced the refresh token, and nobody knows it.
    server.refresh = "refresh-2".to_owned();
    server.now += 60;
    for _ in 0..2 {
        let error = renewed(&login, &disk, &mut server).unwrap_err();
        assert_eq!(
            error.to_string(),
            "auth.example: the login has expired or was revoked (invalid_grant); \
             its answer of 2027-01-15T08:00:00Z was lost, and with it the next token"
        );
    }
    // Without a lost answer, nothing of the kind is said.
    let disk = self::disk(&login, &server, 0, 3600);
    let error = renewed(&login, &disk, &mut server).unwrap_err();
    assert!(error.to_string().ends_with("(invalid_grant)"), "{error}");
}

#[test]
fn an_answer_that_cannot_be_used_is_lost_but_for_the_refresh_token_in_it() {
    for answer in [(200, r#"{"access_token":"a","refresh_tok"#), (200, "{}")] {
        let (login, mut server) = (login(), Fake::new(true));
        let disk = disk(&login, &server, 0, 3600);
        server.next.push(Ok(answer));
        renewed(&login, &disk, &mut server).unwrap_err();
        server.refresh = "refresh-2".to_owned();
        let error = renewed(&login, &disk, &mut server).unwrap_err();
        assert!(error.to_string().ends_with("was lost, and with it the next token"), "{error}");
    }
    let (login, mut server) = (login(), Fake::new(true));
    let disk = disk(&login, &server, 0, 3600);
    server.next.push(Ok((200, r#"{"access_token":"a","refresh_token":"refresh-2"}"#)));
    renewed(&login, &disk, &mut server).unwrap_err();
    server.refresh = "refresh-2".to_owned();
    let kept = login.store(&disk.for_sure()).read().unwrap().unwrap();
    assert_eq!((kept.refresh.unwrap().expose(), kept.unanswered), ("refresh-2", None));
    assert_eq!(renewed(&login, &disk, &mut server).unwrap(), "access-2");
}

#[test]
fn while_another_run_renews_a_token_that_still_lives_is_used() {
    for (left, is_busy) in [(10, false), (0, true)] {
        let (login, mut server) = (login(), Fake::new(true));
        let disk = disk(&login, &server, left, 3600);
        let _held = login.store(&disk).lock().unwrap().unwrap();
        match renewed(&login, &disk, &mut server) {
            Ok(access) => assert!(!is_busy && access == "access-1"),
            Err(error) => assert!(is_busy && matches!(error, Error::Busy), "{error}"),
        }
    }
}

#[test]
fn a_refusal_of_the_client_is_no_lost_answer() {
    let (login, mut server) = (login(), Fake::new(true));
    let disk = disk(&login, &server, 0, 3600);
    server.next.push(Ok((401, r#"{"error":"invalid_client"}"#)));
    assert!(matches!(renewed(&login, &disk, &mut server), Err(Error::Client { .. })));
    assert_eq!(login.store(&disk).read().unwrap().unwrap().unanswered, None);
}

#[test]
fn secrets_that_the_server_says_back_are_masked() {
    let (login, mut server) = (login(), Fake::new(true));
    let disk = disk(&login, &server, 0, 3600);
    // In clear, and in base64.
    let body = r#"{"error":"refresh-1","error_description":"no refresh-1, cmVmcmVzaC0x, hush"}"#;
    server.next.push(Ok((400, body)));
    let secret = Secret::new("hush");
    let error = login.renew(&disk, None, Some(&secret), &mut server).unwrap_err();
    assert_eq!(
        error.to_string(),
        "auth.example: the client is refused (****: no ****, ****, ****)"
    );
}

#[test]
fn a_refused_token_is_renewed_once_in_a_run() {
    let (login, mut server) = (login(), Fake::new(true));
    let disk = disk(&login, &server, 3600, 3600);
    let mut after = |refused: &str| {
        let refused = Secret::new(refused);
        let access = login.renew(&disk, Some(&refused), None, &mut server).unwrap();
        access.map(|access| access.token.expose().to_owned())
    };
    assert_eq!(after("access-1").as_deref(), Some("access-2"));
    // Another account of the login had the first one refused, too: it takes the second.
    assert_eq!(after("access-1").as_deref(), Some("access-2"));
    assert_eq!(after("access-2"), None);
    assert_eq!(server.asked, 1);
}

#[test]
fn what_was_granted_for_another_client_is_not_used() {
    let server = Fake::new(true);
    let change: [(_, fn(&mut Login)); 4] = [
        ("client-id", |login| login.client.id = "other".to_owned()),
        ("token endpoint", |login| {
            let token = "https://other.example/token".parse().unwrap();
            login.client.server = Server::Known(Box::new(Endpoints { token, ..endpoints() }));
        }),
        ("user", |login| login.user = "bob@x.example".to_owned()),
        ("scope", |login| login.client.scope = "pop smtp more".to_owned()),
    ];
    for (what, change) in change {
        let mut login = login();
        let disk = disk(&login, &server, 3600, 3600);
        change(&mut login);
        match login.kept(&disk, None, server.now) {
            Err(Error::Changed { what: found, .. }) => assert_eq!(found, what),
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn a_client_without_a_person_asks_and_keeps_what_it_gets() {
    let (mut login, mut server) = (login(), Fake::new(false));
    login.client.grant = Grant::ClientCredentials;
    let disk = Simulated::new(Path::new("/state"));
    assert_eq!(renewed(&login, &disk, &mut server).unwrap(), "access-2");
    assert_eq!(renewed(&login, &disk, &mut server).unwrap(), "access-2");
    server.now += 3600;
    assert_eq!(renewed(&login, &disk, &mut server).unwrap(), "access-3");
    // A damaged file is no reason to wait for anybody.
    disk.create(&login.store(&disk).path().with_extension("x")).unwrap();
    disk.rename(&login.dir.join("token.x"), &login.store(&disk).path()).unwrap();
    assert_eq!(renewed(&login, &disk, &mut server).unwrap(), "access-4");
}

#[test]
fn a_cut_at_any_step_of_the_disk_leaves_a_login_that_works() {
    // Of a server that goes on taking the old refresh token.
    let mut cuts = 0;
    for step in 0.. {
        let (login, mut server) = (login(), Fake::new(false));
        let disk = disk(&login, &server, 0, 3600);
        disk.arm(Fault::From(step));
        let outcome = renewed(&login, &disk, &mut server);
        let is_through = disk.steps() <= step;
        disk.arm(Fault::None);
        for remains in disk.remains(200) {
            let mut server = Fake { number: 10, ..Fake::new(false) };
            let access = renewed(&login, &remains.disk, &mut server).unwrap();
            assert!(["access-2", "access-11"].contains(&access.as_str()), "{access}");
            cuts += 1;
        }
        if outcome.is_ok() {
            let kept = login.store(&disk.for_sure()).read().unwrap().unwrap();
            assert_eq!(kept.access.expose(), "access-2", "used before it was durable");
        }
        if is_through {
            break;
        }
    }
    assert!(cuts > 10, "{cuts}");
}

#[test]
fn a_rotated_refresh_token_is_durable_before_its_access_token_is_used() {
    for step in 0.. {
        let (login, mut server) = (login(), Fake::new(true));
        let disk = disk(&login, &server, 0, 3600);
        disk.arm(Fault::Once(step, rustix::io::Errno::IO.raw_os_error()));
        let outcome = renewed(&login, &disk, &mut server);
        let is_through = disk.steps() <= step;
        disk.arm(Fault::None);
        if outcome.is_ok() {
            let kept = login.store(&disk.for_sure()).read().unwrap().unwrap();
            assert_eq!(kept.refresh.unwrap().expose(), server.refresh, "at step {step}");
        }
        if is_through {
            break;
        }
    }
}
