//! Second factors: enrolling an app, logging in with its codes and with recovery codes, and ending it.

use crate::support::{Answer, Client, PASSWORD, Service};
use axum::http::Method;
use orderd::auth::second_factor::{TimeStep, TotpSecret};
use serde_json::{Value, json};
use std::time::Duration;

const STEP: Duration = Duration::from_secs(30);
const EMAIL: &str = "customer@example.com";

/// An authenticator app and the recovery codes that were noted down.
pub struct App {
    secret: TotpSecret,
    pub recovery_codes: Vec<String>,
}

impl App {
    pub fn of(enrolment: &Answer) -> Self {
        let text = enrolment["secret"].as_str().unwrap();
        let values = text.bytes().map(|c| if c.is_ascii_digit() { c - b'2' + 26 } else { c - b'A' });
        let (mut bits, mut count, mut bytes) = (0_u32, 0, vec![]);
        for value in values {
            (bits, count) = (bits << 5 | u32::from(value), count + 5);
            if count >= 8 {
                count -= 8;
                bytes.push(u8::try_from(bits >> count & 255).unwrap());
            }
        }
        let codes = enrolment["recovery_codes"].as_array().unwrap().iter();
        Self {
            secret: TotpSecret::from_bytes(bytes.into()),
            recovery_codes: codes.map(|code| code.as_str().unwrap().to_owned()).collect(),
        }
    }

    /// The code that it shows now, or did `steps` ago.
    pub fn code(&self, service: &Service, steps: i64) -> String {
        self.secret.code(TimeStep(TimeStep::at(service.now()).0 + steps))
    }
}

pub async fn enrol(service: &Service, who: &Client) -> App {
    let enrolment = who.post("/v1/auth/totp", json!({"password": PASSWORD})).await.created();
    let app = App::of(&enrolment);
    who.post("/v1/auth/totp/confirm", json!({"code": app.code(service, 0)})).await.no_content();
    app
}

async fn log_in(service: &Service, code: Option<&str>) -> Answer {
    let mut body = json!({"email": EMAIL, "password": PASSWORD});
    if let Some(code) = code {
        body["code"] = code.into();
    }
    service.anonymous().post("/v1/auth/login", body).await
}

#[tokio::test]
async fn an_enrolment_comes_into_force_with_its_first_code() {
    let service = Service::start().await;
    let ada = service.customer().await;
    let enrolment = ada.post("/v1/auth/totp", json!({"password": PASSWORD})).await.created();
    let uri = enrolment["uri"].as_str().unwrap();
    let secret = enrolment["secret"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/orderd:customer%40example%2Ecom?secret="), "{uri}");
    assert!(uri.contains(secret) && secret.len() == 32, "{uri}");
    let app = App::of(&enrolment);
    assert_eq!(app.recovery_codes.len(), 10);
    assert_eq!(ada.get("/v1/auth/me").await.ok()["user"]["second_factor"], false);
    log_in(&service, None).await.ok();

    let confirm = |code: String| ada.post("/v1/auth/totp/confirm", json!({"code": code}));
    confirm("000000".to_owned()).await.status(422).faults(&[("#/code", "wrong_code")]);
    confirm(app.recovery_codes[0].clone()).await.status(422).faults(&[("#/code", "wrong_code")]);
    confirm(app.code(&service, 0)).await.no_content();
    assert_eq!(ada.get("/v1/auth/me").await.ok()["user"]["second_factor"], true);
    ada.get("/v1/orders").await.ok();
    log_in(&service, None).await.status(401).problem("second_factor_required");
    log_in(&service, Some(&app.code(&service, 0))).await.status(401).problem("second_factor_required");
    service.pass(STEP);
    log_in(&service, Some(&app.code(&service, 0))).await.ok();
    service.reopen().await;
    log_in(&service, None).await.status(401).problem("second_factor_required");
}

#[tokio::test]
async fn a_new_enrolment_ends_the_codes_of_the_one_before_it() {
    let service = Service::start().await;
    let ada = service.customer().await;
    ada.post("/v1/auth/totp/confirm", json!({"code": "000000"})).await.status(422).faults(&[("#/code", "not_begun")]);
    let begin = || ada.post("/v1/auth/totp", json!({"password": PASSWORD}));
    let (first, second) = (App::of(&begin().await.created()), App::of(&begin().await.created()));
    let confirm = |code: String| ada.post("/v1/auth/totp/confirm", json!({"code": code}));
    confirm(first.code(&service, 0)).await.status(422);
    confirm(second.code(&service, 0)).await.no_content();
    log_in(&service, Some(&first.recovery_codes[0])).await.status(401).problem("second_factor_required");
    log_in(&service, Some(&second.recovery_codes[0])).await.ok();
    begin().await.status(409).problem("second_factor_active");
    confirm(second.code(&service, 1)).await.status(409).problem("second_factor_active");
    ada.post("/v1/auth/totp", json!({"password": "a wrong but long phrase"})).await.status(409);
}

#[tokio::test]
async fn a_code_works_once_also_in_parallel_and_within_one_step_of_drift() {
    let service = Service::start().await;
    let app = enrol(&service, &service.customer().await).await;
    service.pass(STEP * 10);
    for steps in [-2, 2] {
        log_in(&service, Some(&app.code(&service, steps))).await.status(401);
    }
    let early = app.code(&service, -1);
    log_in(&service, Some(&format!("{} {}", &early[..3], &early[3..]))).await.ok();
    log_in(&service, Some(&early)).await.status(401).problem("second_factor_required");
    let code = app.code(&service, 1);
    let together = (0..8).map(|_| log_in(&service, Some(&code)));
    let answers = futures_util::future::join_all(together).await;
    let succeeded = answers.iter().filter(|answer| answer.code() == 200).count();
    assert_eq!(succeeded, 1, "{:?}", answers.iter().map(Answer::code).collect::<Vec<_>>());
    service.pass(Duration::from_mins(20));
    log_in(&service, Some(&app.code(&service, 0))).await.ok();
    let older = app.code(&service, -1);
    log_in(&service, Some(&older)).await.status(401);
}

#[tokio::test]
async fn recovery_codes_work_once_each_and_are_audited() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let app = enrol(&service, &ada).await;
    let codes = &app.recovery_codes;
    log_in(&service, Some(&codes[0])).await.ok();
    log_in(&service, Some(&codes[0])).await.status(401).problem("second_factor_required");
    log_in(&service, Some(&codes[1].to_uppercase().replace('-', " "))).await.ok();
    let trail = admin.get("/v1/audit?action=auth.login&limit=3").await.ok();
    assert_eq!(trail["data"][0]["changes"], json!({"recovery_codes_left": 8}));
    let browser = json!({"email": EMAIL, "password": PASSWORD, "code": codes[2]});
    service.anonymous().post("/v1/auth/session", browser.clone()).await.created();
    service.anonymous().post("/v1/auth/session", browser).await.status(401).problem("second_factor_required");
    let together = (0..4).map(|_| log_in(&service, Some(&codes[3])));
    let answers = futures_util::future::join_all(together).await;
    assert_eq!(answers.iter().filter(|answer| answer.code() == 200).count(), 1);
}

#[tokio::test]
async fn passwords_and_codes_are_counted_together_and_a_right_password_does_not_reset_the_count() {
    let service = Service::start().await;
    let app = enrol(&service, &service.customer().await).await;
    service.pass(STEP * 10);
    let wrong = json!({"email": EMAIL, "password": "a wrong but long phrase"});
    for _ in 0..2 {
        log_in(&service, Some("000000")).await.status(401).problem("second_factor_required");
        log_in(&service, None).await.status(401).problem("second_factor_required");
        service.anonymous().post("/v1/auth/login", wrong.clone()).await.status(401).problem("invalid_credentials");
    }
    log_in(&service, Some("not-a-recovery-code")).await.status(401);
    log_in(&service, Some(&app.code(&service, 0))).await.status(429).problem("login_delayed");
    log_in(&service, None).await.status(429).problem("login_delayed");
    service.pass(Duration::from_secs(2));
    log_in(&service, Some(&app.code(&service, 0))).await.ok();
    log_in(&service, Some("000000")).await.status(401).problem("second_factor_required");
}

#[tokio::test]
async fn ending_ones_second_factor_takes_the_password_and_a_code() {
    let service = Service::start().await;
    let ada = service.customer().await;
    let end = |password: &str, code: &str| {
        let call = ada.call(Method::DELETE, "/v1/auth/totp");
        call.body("application/json", json!({"password": password, "code": code}).to_string())
    };
    end(PASSWORD, "000000").await.status(404).problem("not_found");
    let app = enrol(&service, &ada).await;
    service.pass(STEP);
    let code = app.code(&service, 0);
    end("a wrong but long phrase", &code).await.status(422).faults(&[("#/password", "wrong_password")]);
    end(PASSWORD, "000000").await.status(422).faults(&[("#/code", "wrong_code")]);
    end(PASSWORD, &app.code(&service, -1)).await.status(422).faults(&[("#/code", "wrong_code")]);
    end(PASSWORD, &code).await.no_content();
    assert_eq!(ada.get("/v1/auth/me").await.ok()["user"]["second_factor"], false);
    log_in(&service, None).await.ok();
    enrol(&service, &ada).await;
}

#[tokio::test]
async fn guessing_the_code_or_the_password_of_a_signed_in_user_is_delayed() {
    let service = Service::start().await;
    let ada = service.customer().await;
    enrol(&service, &ada).await;
    let end = |password: &str| {
        let body = json!({"password": password, "code": "000000"}).to_string();
        ada.call(Method::DELETE, "/v1/auth/totp").body("application/json", body)
    };
    for password in [PASSWORD, "a wrong but long phrase", PASSWORD, PASSWORD, PASSWORD] {
        end(password).await.status(422);
    }
    end(PASSWORD).await.status(429).problem("login_delayed");
    ada.post("/v1/auth/totp", json!({"password": PASSWORD})).await.status(409);
    let body = json!({"current_password": PASSWORD, "new_password": "quite another private phrase"});
    ada.post("/v1/auth/password", body).await.status(429).problem("login_delayed");
}

#[tokio::test]
async fn whoever_may_write_users_ends_the_second_factor_of_one_who_has_lost_it() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    enrol(&service, &ada).await;
    let path = format!("/v1/users/{}", ada.id);
    assert_eq!(admin.get(&path).await.ok()["second_factor"], true);
    ada.delete(&format!("{path}/totp")).await.status(403);
    admin.patch(&path, json!({"password": "quite another private phrase"})).await.ok();
    assert_eq!(admin.get(&path).await.ok()["second_factor"], true, "a new password does not end it");
    admin.patch(&path, json!({"password": PASSWORD})).await.ok();
    log_in(&service, None).await.status(401).problem("second_factor_required");
    admin.delete(&format!("{path}/totp")).await.no_content();
    log_in(&service, None).await.ok();
    admin.delete(&format!("{path}/totp")).await.no_content();
    assert_eq!(admin.get(&path).await.ok()["second_factor"], false);
}

#[tokio::test]
async fn a_role_that_needs_a_second_factor_can_do_nothing_else_before_it() {
    let service = Service::with(&[("auth.require_second_factor", "staff,manager")]).await;
    let (admin, staff) = (service.admin().await, service.staff().await);
    admin.get("/v1/orders").await.ok();
    for path in ["/v1/orders", "/v1/users", "/v1/audit", "/v1/idempotency-keys/x"] {
        staff.get(path).await.status(403).problem("second_factor_setup_required");
    }
    let sessions = format!("/v1/users/{}/sessions", staff.id);
    staff.get(&sessions).await.status(403).problem("second_factor_setup_required");
    staff.get("/v1/auth/me").await.ok();
    let body = json!({"current_password": PASSWORD, "new_password": "quite another private phrase"});
    staff.post("/v1/auth/password", body).await.no_content();
    let body = json!({"current_password": "quite another private phrase", "new_password": PASSWORD});
    staff.post("/v1/auth/password", body).await.no_content();
    let browser = service.anonymous().sign_in("staff@example.com", PASSWORD).await;
    browser.get("/v1/orders").await.status(403).problem("second_factor_setup_required");
    browser.delete("/v1/auth/session").await.no_content();

    enrol(&service, &staff).await;
    staff.get("/v1/orders").await.ok();
    admin.delete(&format!("/v1/users/{}/totp", staff.id)).await.no_content();
    staff.get("/v1/orders").await.status(403).problem("second_factor_setup_required");
    admin.patch(&format!("/v1/users/{}", staff.id), json!({"role": "analyst"})).await.ok();
    staff.get("/v1/orders").await.ok();
    staff.post("/v1/auth/logout", json!({})).await.no_content();
}

#[tokio::test]
async fn the_keys_of_a_user_who_must_set_up_a_second_factor_wait_for_it_too() {
    let service = Service::start().await;
    let key = service.program(&["orders:read"]).await;
    key.get("/v1/orders").await.ok();
    service.stop().await;
    service.open_with(&[("auth.require_second_factor", "[\"admin\"]")]);
    key.get("/v1/orders").await.status(403).problem("second_factor_setup_required");
    key.get("/v1/auth/me").await.ok();
    let admin = service.anonymous().log_in("admin@example.com", PASSWORD).await;
    admin.get("/v1/orders").await.status(403).problem("second_factor_setup_required");
    enrol(&service, &admin).await;
    key.get("/v1/orders").await.ok();
}

#[tokio::test]
async fn an_api_key_has_no_second_factor() {
    let service = Service::start().await;
    let key = service.program(&["orders:read"]).await;
    key.post("/v1/auth/totp", json!({"password": PASSWORD})).await.status(403).problem("forbidden");
    key.post("/v1/auth/totp/confirm", json!({"code": "000000"})).await.status(403).problem("forbidden");
    let body = json!({"password": PASSWORD, "code": "000000"}).to_string();
    key.call(Method::DELETE, "/v1/auth/totp").body("application/json", body).await.status(403).problem("forbidden");
}

#[tokio::test]
async fn neither_the_secret_nor_a_recovery_code_is_in_the_file_or_in_the_trail() {
    let service = Service::start().await;
    let (admin, ada) = (service.admin().await, service.customer().await);
    let app = enrol(&service, &ada).await;
    log_in(&service, Some(&app.recovery_codes[0])).await.ok();
    let trail: Vec<Value> = admin.walk("/v1/audit").await;
    let trail = serde_json::to_string(&trail).unwrap();
    service.stop().await;
    let file = std::fs::read(service.path()).unwrap();
    let contains = |secret: &[u8]| file.windows(secret.len()).any(|part| part == secret);
    assert!(!contains(app.secret.bytes()));
    for secret in [app.secret.reveal().to_string(), app.recovery_codes[0].clone(), app.recovery_codes[1].clone()] {
        assert!(!contains(secret.as_bytes()) && !contains(secret.replace('-', "").as_bytes()));
        assert!(!trail.contains(&secret), "{secret}");
    }
}

#[tokio::test]
async fn without_its_key_file_no_code_is_accepted_and_an_administrator_ends_it() {
    let service = Service::start().await;
    let ada = service.customer().await;
    let app = enrol(&service, &ada).await;
    service.stop().await;
    std::fs::remove_file(service.folder().join("orders.db.key")).unwrap();
    service.open();
    service.pass(STEP);
    log_in(&service, Some(&app.code(&service, 0))).await.status(401).problem("second_factor_required");
    log_in(&service, Some(&app.recovery_codes[0])).await.ok();
}
