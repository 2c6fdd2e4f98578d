//! Signing in by OpenID Connect, against a provider that each test makes answer as it likes.

mod provider;

use crate::support::{Answer, Client, Outcome, PASSWORD, Service};
use provider::Provider;
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

const EMAIL: &str = "customer@example.com";

async fn service(provider: &Provider, more: &[(&str, &str)]) -> Service {
    let issuer = provider.issuer();
    let settings = [
        ("server.public_url", "http://localhost:8080"),
        ("oidc.issuer", issuer.as_str()),
        ("oidc.client_id", "shop & co"),
        ("oidc.client_secret", "a secret: 100%"),
    ];
    let service = Service::with(&[&settings[..], more].concat()).await;
    service.customer().await;
    service
}

/// A browser on its way to the provider.
struct Traveller {
    cookie: String,
    sent: HashMap<String, String>,
}

async fn depart(service: &Service) -> Traveller {
    let answer = service.anonymous().get("/v1/auth/oidc").await.status(303);
    let (cookie, attributes) = answer.header("set-cookie").split_once("; ").unwrap();
    assert!(cookie.starts_with("orderd-oidc="), "{answer}");
    assert_eq!(attributes, "Max-Age=600; Path=/; HttpOnly; SameSite=Lax");
    let query = answer.header("location").split_once('?').unwrap().1;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let sent = pairs.map(|(name, value)| (name.to_owned(), decode(value))).collect();
    Traveller { cookie: cookie.to_owned(), sent }
}

impl Traveller {
    /// What a well-behaved provider sends back.
    fn answer(&self) -> String {
        format!("code=c1&state={}&session_state=x&scope=openid", self.sent["state"])
    }
}

async fn come_back(service: &Service, cookie: &str, query: &str) -> Answer {
    service.anonymous().with_cookie(cookie).get(&format!("/v1/auth/oidc/callback?{query}")).await.status(303)
}

/// Goes to the provider and comes back as it should be.
async fn travel(service: &Service, provider: &Provider, claims: Value) -> Answer {
    let traveller = depart(service).await;
    provider.expect(&traveller.sent, claims, service.now());
    come_back(service, &traveller.cookie, &traveller.answer()).await
}

/// The word for the failure that a browser is led to.
fn error(answer: &Answer) -> &str {
    let location = answer.header("location");
    location.split_once("/console/login?error=").unwrap_or_else(|| panic!("no failure: {answer}")).1
}

/// The claim and the session's cookie of a browser that has come back.
fn claim(answer: &Answer) -> (String, String) {
    let location = answer.header("location");
    let claim = location.split_once("/console/login#claim=").unwrap_or_else(|| panic!("no claim: {answer}")).1;
    let cookies = answer.headers("set-cookie");
    assert!(cookies.iter().any(|cookie| cookie.starts_with("orderd-oidc=; Max-Age=0;")), "{answer}");
    let cookie = cookies.iter().find(|cookie| cookie.starts_with("orderd=orb_")).unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{answer}");
    (claim.to_owned(), cookie.split(';').next().unwrap().to_owned())
}

async fn redeem(service: &Service, claim: &str, cookie: &str) -> Answer {
    service.anonymous().with_cookie(cookie).post("/v1/auth/session", json!({"claim": claim})).await
}

fn verified() -> Value {
    json!({"email": EMAIL, "email_verified": true})
}

#[tokio::test]
async fn a_browser_that_comes_back_gets_both_halves_of_a_session() {
    let provider = Provider::start().await;
    let service = service(&provider, &[]).await;
    let traveller = depart(&service).await;
    let sent = |name: &str| traveller.sent[name].as_str();
    assert_eq!([sent("response_type"), sent("scope")], ["code", "openid email profile"]);
    assert_eq!([sent("client_id"), sent("code_challenge_method")], ["shop & co", "S256"]);
    assert_eq!(sent("redirect_uri"), "http://localhost:8080/v1/auth/oidc/callback");
    provider.expect(&traveller.sent, verified(), service.now());
    let (claim, cookie) = claim(&come_back(&service, &traveller.cookie, &traveller.answer()).await);
    let session = redeem(&service, &claim, &cookie).await.created();
    assert_eq!(session["user"]["email"], EMAIL);
    assert_eq!(session.maybe_header("set-cookie"), None, "the browser has it");
    let key = session["console_key"].as_str().unwrap();
    let browser = service.anonymous().with_cookie(&cookie).with_console_key(key);
    assert_eq!(browser.get("/v1/auth/me").await.ok()["user"]["email"], EMAIL);
    service.anonymous().with_cookie(&cookie).get("/v1/auth/me").await.status(401);
    let trail = service.admin().await.get("/v1/audit?action=auth.start_session").await.ok();
    assert_eq!(trail["data"][0]["changes"], json!({"by_provider": true}));
    browser.delete("/v1/auth/session").await.no_content();
}

#[tokio::test]
async fn a_claim_is_of_use_once_within_a_minute_and_with_its_cookie() {
    let provider = Provider::start().await;
    let service = service(&provider, &[]).await;
    let (claim, cookie) = claim(&travel(&service, &provider, verified()).await);
    let (_, foreign) = self::claim(&travel(&service, &provider, verified()).await);
    for (claim, cookie) in
        [(claim.as_str(), foreign.as_str()), (claim.as_str(), "orderd="), ("orl_guess", cookie.as_str())]
    {
        redeem(&service, claim, cookie).await.status(401).problem("invalid_claim");
    }
    let together = (0..4).map(|_| redeem(&service, &claim, &cookie));
    let answers = futures_util::future::join_all(together).await;
    assert_eq!(answers.iter().filter(|answer| answer.code() == 201).count(), 1);
    let (late, cookie) = self::claim(&travel(&service, &provider, verified()).await);
    service.pass(Duration::from_mins(1));
    redeem(&service, &late, &cookie).await.status(401).problem("invalid_claim");
    let mixed = json!({"claim": late, "email": EMAIL, "password": PASSWORD});
    let mixed = service.anonymous().post("/v1/auth/session", mixed).await.status(422);
    mixed.faults(&[("#/claim", "not_alone")]);
    let nothing = service.anonymous().post("/v1/auth/session", json!({})).await.status(422);
    nothing.faults(&[("#/email", "required"), ("#/password", "required")]);
}

#[tokio::test]
async fn a_journey_is_over_after_its_first_return_after_ten_minutes_and_with_another_state() {
    let provider = Provider::start().await;
    let service = service(&provider, &[]).await;
    let (one, other) = (depart(&service).await, depart(&service).await);
    provider.expect(&one.sent, verified(), service.now());
    let wrong = other.answer();
    for cookie in [one.cookie.as_str(), "orderd-oidc=x", "a=b"] {
        assert_eq!(error(&come_back(&service, cookie, &wrong).await), "oidc_expired", "{cookie}");
    }
    for query in ["code=c1".to_owned(), format!("{}&state=x", one.answer())] {
        assert_eq!(error(&come_back(&service, &one.cookie, &query).await), "oidc_expired", "{query}");
    }
    claim(&come_back(&service, &one.cookie, &one.answer()).await);
    assert_eq!(error(&come_back(&service, &one.cookie, &one.answer()).await), "oidc_expired", "a second time");
    service.pass(Duration::from_mins(10));
    assert_eq!(error(&come_back(&service, &other.cookie, &other.answer()).await), "oidc_expired", "late");
}

#[tokio::test]
async fn every_claim_of_an_id_token_is_checked() {
    let provider = Provider::start().await;
    let service = service(&provider, &[]).await;
    let now = service.now().seconds();
    for (name, value) in [
        ("iss", json!("https://id.example.org")),
        ("aud", json!("another client")),
        ("nonce", json!("another journey")),
        ("exp", json!(now - 60)),
    ] {
        let mut claims = verified();
        claims[name] = value;
        assert_eq!(error(&travel(&service, &provider, claims).await), "oidc_failed", "{name}");
    }
    provider.sign_with_a_strangers_key();
    assert_eq!(error(&travel(&service, &provider, verified()).await), "oidc_failed");
}

#[tokio::test]
async fn only_a_verified_address_counts_and_user_info_has_to_be_about_the_same_person() {
    let provider = Provider::start().await;
    let service = service(&provider, &[]).await;
    let unverified = json!({"email": EMAIL, "email_verified": false});
    assert_eq!(error(&travel(&service, &provider, unverified.clone()).await), "oidc_unverified_email");
    assert_eq!(error(&travel(&service, &provider, json!({"email": EMAIL})).await), "oidc_unverified_email");
    provider.tell(json!({"sub": "1", "email": EMAIL, "email_verified": true}));
    claim(&travel(&service, &provider, json!({})).await);
    provider.tell(json!({"sub": "2", "email": EMAIL, "email_verified": true}));
    assert_eq!(error(&travel(&service, &provider, json!({})).await), "oidc_failed");
    provider.tell(json!({"sub": "1", "email": EMAIL, "email_verified": false}));
    assert_eq!(error(&travel(&service, &provider, json!({})).await), "oidc_unverified_email");
}

#[tokio::test]
async fn answers_of_another_issuer_and_errors_are_refused() {
    let provider = Provider::start().await;
    let service = service(&provider, &[]).await;
    let back = async |more: &str| {
        let traveller = depart(&service).await;
        provider.expect(&traveller.sent, verified(), service.now());
        let query = format!("{}&{more}", traveller.answer());
        come_back(&service, &traveller.cookie, &query).await
    };
    assert_eq!(error(&back("iss=https%3A%2F%2Fevil.example").await), "oidc_failed");
    claim(&back(&format!("iss={}", provider.issuer())).await);
    assert_eq!(error(&back("error=access_denied").await), "oidc_declined");
    assert_eq!(error(&back("error=server_error").await), "oidc_failed");
    let answer = back("redirect_uri=https%3A%2F%2Fevil.example&return_to=//evil.example").await;
    assert!(answer.header("location").starts_with("http://localhost:8080/console/login#"), "{answer}");
}

#[tokio::test]
async fn new_keys_of_the_provider_are_fetched_at_most_once_a_minute() {
    let provider = Provider::start().await;
    let service = service(&provider, &[]).await;
    claim(&travel(&service, &provider, verified()).await);
    claim(&travel(&service, &provider, verified()).await);
    assert_eq!(provider.key_requests(), 1);
    provider.rotate();
    assert_eq!(error(&travel(&service, &provider, verified()).await), "oidc_failed", "asked a moment ago");
    service.pass(Duration::from_mins(1));
    claim(&travel(&service, &provider, verified()).await);
    assert_eq!(provider.key_requests(), 2);
    provider.sign_with_an_unknown_kid();
    service.pass(Duration::from_mins(1));
    for _ in 0..3 {
        assert_eq!(error(&travel(&service, &provider, verified()).await), "oidc_failed");
    }
    assert_eq!(provider.key_requests(), 3);
}

#[tokio::test]
async fn unknown_and_disabled_people_are_refused_unless_a_role_is_configured() {
    let provider = Provider::start().await;
    let service = service(&provider, &[]).await;
    let stranger = json!({"email": "Grace@Example.com", "email_verified": true, "name": "Grace"});
    assert_eq!(error(&travel(&service, &provider, stranger.clone()).await), "oidc_unknown_user");
    let (admin, ada) = (service.admin().await, service.customer().await);
    admin.patch(&format!("/v1/users/{}", ada.id), json!({"status": "disabled"})).await.ok();
    assert_eq!(error(&travel(&service, &provider, verified()).await), "oidc_unknown_user");
    service.stop().await;
    service.open_with(&[("oidc.create_role", "analyst")]);
    let (claim, cookie) = claim(&travel(&service, &provider, stranger).await);
    let grace = redeem(&service, &claim, &cookie).await.created();
    let user = &grace["user"];
    assert_eq!([&user["email"], &user["name"], &user["role"]], ["grace@example.com", "Grace", "analyst"]);
    let login = json!({"email": "grace@example.com", "password": PASSWORD});
    service.anonymous().post("/v1/auth/login", login).await.status(401).problem("invalid_credentials");
    assert_eq!(error(&travel(&service, &provider, verified()).await), "oidc_unknown_user", "still disabled");
}

#[tokio::test]
async fn the_provider_stands_for_the_second_factor() {
    let provider = Provider::start().await;
    let service = service(&provider, &[("auth.require_second_factor", "customer")]).await;
    let by_password = service.customer().await;
    by_password.get("/v1/orders").await.status(403).problem("second_factor_setup_required");
    crate::second_factor::enrol(&service, &by_password).await;
    let (claim, cookie) = claim(&travel(&service, &provider, verified()).await);
    service.admin().await.delete(&format!("/v1/users/{}/totp", by_password.id)).await.no_content();
    let session = redeem(&service, &claim, &cookie).await.created();
    let browser: Client = service.anonymous().with_cookie(&cookie);
    let browser = browser.with_console_key(session["console_key"].as_str().unwrap());
    browser.get("/v1/orders").await.ok();
    service.reopen().await;
    browser.get("/v1/orders").await.ok();
}

#[tokio::test]
async fn without_a_provider_or_with_one_that_is_down_nobody_is_stuck() {
    let plain = Service::start().await;
    for path in ["/v1/auth/oidc", "/v1/auth/oidc/callback?code=a&state=b"] {
        plain.anonymous().get(path).await.status(404).problem("not_found");
    }
    assert!(plain.anonymous().get("/v1/settings").await.ok().json().get("oidc_button").is_none());
    let provider = Provider::start().await;
    let service = service(&provider, &[("oidc.button", "Example ID")]).await;
    assert_eq!(service.anonymous().get("/v1/settings").await.ok()["oidc_button"], "Example ID");
    provider.fail();
    assert_eq!(error(&service.anonymous().get("/v1/auth/oidc").await.status(303)), "oidc_unavailable");
}

/// How requests for signing in by OpenID Connect end.
pub async fn outcomes() -> BTreeSet<Outcome> {
    let provider = Provider::start().await;
    let service = service(&provider, &[]).await;
    let (_, cookie) = claim(&travel(&service, &provider, verified()).await);
    redeem(&service, "orl_guess", &cookie).await;
    service.outcomes()
}
