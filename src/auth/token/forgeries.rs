//! Tests with tokens that must be refused: forged, altered, expired or misplaced, each one step away from a good token.
//! Most are signed with the right key, so that they are refused for their own fault and not for a bad signature.

use super::{KeyRing, Tokens};
use crate::{
    auth::secret::{Secret, SecretKind},
    domain::time::Timestamp,
    error::problem,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

const NOW: Timestamp = Timestamp::from_millis(1_795_403_651_123);
const SECONDS: i64 = NOW.seconds();
const USER: &str = "usr_01h455vb4pex5vsknk084sn02q";
const SESSION: &str = "ses_01h455vb4pex5vsknk084sn02q";

struct Forger {
    tokens: Tokens,
    id: String,
    secret: Vec<u8>,
    cases: Vec<(String, String)>,
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn hs256(secret: &[u8], message: &str) -> String {
    encode(Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(message).finalize().into_bytes())
}

impl Forger {
    fn new() -> Self {
        let ring = KeyRing::generate(NOW).unwrap();
        let key = &ring.keys()[0];
        let (id, secret) = (key.id.clone(), key.secret.to_vec());
        Self { tokens: Tokens::new(&ring).unwrap(), id, secret, cases: vec![] }
    }

    fn header(&self) -> String {
        format!(r#"{{"typ":"at+jwt","alg":"HS256","kid":"{}"}}"#, self.id)
    }

    fn payload() -> Value {
        json!({"iss": "orderd", "aud": "orderd-api", "sub": USER, "sid": SESSION, "jti": "one",
               "iat": SECONDS, "nbf": SECONDS, "exp": SECONDS + 900})
    }

    /// A token with this header and payload, signed with the right key.
    fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let message = format!("{}.{}", encode(header), encode(payload));
        format!("{message}.{}", hs256(&self.secret, &message))
    }

    fn good(&self) -> String {
        self.sign(self.header(), Self::payload().to_string())
    }

    fn case(&mut self, what: impl Into<String>, token: impl Into<String>) {
        self.cases.push((what.into(), token.into()));
    }

    fn headers(&mut self) {
        let (id, payload) = (self.id.clone(), Self::payload().to_string());
        let mut headers: Vec<String> = vec![];
        for algorithm in ["none", "None", "NONE", "nOnE", "", "hs256", "HS384", "HS512", "RS256", "ES256", "EdDSA"] {
            headers.push(format!(r#"{{"typ":"at+jwt","alg":"{algorithm}","kid":"{id}"}}"#));
        }
        for typ in ["JWT", "jwt", "AT+JWT", "application/at+jwt", "at+jwt ", "rt+jwt", "dpop+jwt", ""] {
            headers.push(format!(r#"{{"typ":"{typ}","alg":"HS256","kid":"{id}"}}"#));
        }
        for kid in ["", "other", "../../../../dev/null", "/etc/passwd", "' OR 1=1 --", &id[1..], &format!("{id} ")] {
            headers.push(format!(r#"{{"typ":"at+jwt","alg":"HS256","kid":"{kid}"}}"#));
        }
        for more in [
            r#""jku":"https://evil.example/keys""#,
            r#""x5u":"https://evil.example/cert""#,
            r#""jwk":{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#,
            r#""x5c":["MIIB"]"#,
            r#""x5t":"AAAA""#,
            r#""crit":["exp"]"#,
            r#""crit":[]"#,
            r#""b64":false,"crit":["b64"]"#,
            r#""zip":"DEF""#,
            r#""cty":"JWT""#,
            r#""alg":"none""#,
            r#""kid":"other""#,
        ] {
            headers.push(format!(r#"{{"typ":"at+jwt","alg":"HS256","kid":"{id}",{more}}}"#));
        }
        headers.extend([
            format!(r#"{{"alg":"HS256","kid":"{id}"}}"#),
            r#"{"typ":"at+jwt","alg":"HS256"}"#.into(),
            format!(r#"{{"typ":"at+jwt","kid":"{id}"}}"#),
            format!(r#"{{"typ":"at+jwt","alg":null,"kid":"{id}"}}"#),
            format!(r#"{{"typ":"at+jwt","alg":["HS256"],"kid":"{id}"}}"#),
            r#"{"typ":"at+jwt","alg":"HS256","kid":0}"#.into(),
            format!(" {}", self.header()),
            "{}".into(),
            "null".into(),
            "not json".into(),
            String::new(),
        ]);
        for header in headers {
            let token = self.sign(&header, &payload);
            self.case(format!("header {header}"), token);
        }
        let token = self.sign(b"\xff\xfe", &payload);
        self.case("a header that is not UTF-8", token);
    }

    fn claims(&mut self) {
        let mut payloads: Vec<Value> = vec![];
        for claim in ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"] {
            let mut missing = Self::payload();
            missing.as_object_mut().unwrap().remove(claim);
            payloads.push(missing);
        }
        let wrong_texts = ["iss", "aud", "sub", "sid", "jti"].map(|claim| {
            [json!(null), json!(1), json!(true), json!({}), json!([Self::payload()[claim]]), json!("")]
                .map(|wrong| (claim, wrong))
        });
        let wrong_times = ["iat", "nbf", "exp"].map(|claim| {
            let text = json!((SECONDS + 1).to_string());
            [json!(null), text, json!(true), json!([SECONDS]), json!(1.795_403_651e9), json!(u64::MAX)]
                .map(|wrong| (claim, wrong))
        });
        let others = [
            ("iss", json!("Orderd")),
            ("iss", json!("https://evil.example")),
            ("aud", json!("orderd")),
            ("aud", json!(["orderd-api", "other"])),
            ("sub", json!("ada@example.com")),
            ("sub", json!(USER.to_uppercase())),
            ("sub", json!(SESSION)),
            ("sid", json!(USER)),
            ("iat", json!(SECONDS + 7)),
            ("nbf", json!(SECONDS + 7)),
            ("nbf", json!(NOW.millis())),
            ("exp", json!(SECONDS)),
            ("exp", json!(SECONDS - 1)),
            ("exp", json!(0)),
            ("exp", json!(-1)),
            ("exp", json!(i64::MIN)),
            ("exp", json!(i64::MAX)),
        ];
        for (claim, wrong) in wrong_texts.into_iter().flatten().chain(wrong_times.into_iter().flatten()).chain(others) {
            let mut payload = Self::payload();
            payload[claim] = wrong;
            payloads.push(payload);
        }
        for payload in payloads {
            let token = self.sign(self.header(), payload.to_string());
            self.case(format!("payload {payload}"), token);
        }
    }

    fn payloads(&mut self) {
        let good = Self::payload().to_string();
        for claim in ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"] {
            let twice = good.replacen('{', &format!("{{\"{claim}\":{},", Self::payload()[claim]), 1);
            let token = self.sign(self.header(), &twice);
            self.case(format!("{claim} twice"), token);
        }
        for payload in ["", "{}", "[]", "null", "\"text\"", &format!("[{good}]"), &good[1..], &format!("{good}{good}")]
        {
            let token = self.sign(self.header(), payload);
            self.case(format!("payload {payload}"), token);
        }
        let token = self.sign(self.header(), b"\xff\xfe");
        self.case("a payload that is not UTF-8", token);
        let padded = good.replacen('{', &format!("{{\"more\":\"{}\",", "x".repeat(2048)), 1);
        let token = self.sign(self.header(), padded);
        self.case("too long", token);
    }

    fn signatures(&mut self) {
        let good = self.good();
        let (message, signature) = good.rsplit_once('.').unwrap();
        let (header, payload) = message.split_once('.').unwrap();
        let sha384 = Hmac::<Sha384>::new_from_slice(&self.secret).unwrap().chain_update(message).finalize();
        let sha512 = Hmac::<Sha512>::new_from_slice(&self.secret).unwrap().chain_update(message).finalize();
        for (what, other) in [
            ("no signature", String::new()),
            ("another key's signature", hs256(&[9; 32], message)),
            ("an empty key's signature", hs256(b"", message)),
            ("the signature of an encoded key", hs256(encode(&self.secret).as_bytes(), message)),
            ("a signature with the identifier as key", hs256(self.id.as_bytes(), message)),
            ("a signature of the payload alone", hs256(&self.secret, payload)),
            ("an HS384 signature", encode(sha384.into_bytes())),
            ("an HS512 signature", encode(sha512.into_bytes())),
            ("half a signature", encode([7; 16])),
            ("a signature of zeros", encode([0; 32])),
            ("a padded signature", format!("{signature}=")),
            ("a signature with a space", format!("{signature} ")),
            ("a signature in another alphabet", format!("+/{}", &signature[2..])),
            ("a signature that is not base64", "!".repeat(43)),
            ("a signature that is cut", signature[..42].into()),
        ] {
            self.cases.push((what.into(), format!("{message}.{other}")));
        }
        for (what, token) in [
            ("nothing", String::new()),
            ("dots", "..".into()),
            ("more dots", "....".into()),
            ("two parts", message.into()),
            ("one part", header.into()),
            ("no header", format!(".{payload}.{signature}")),
            ("no payload", format!("{header}..{signature}")),
            ("a fourth part", format!("{good}.{signature}")),
            ("an empty fourth part", format!("{good}.")),
            ("a part in front", format!(".{good}")),
            ("a JWE's five parts", format!("{good}.{payload}.{signature}")),
            ("parts exchanged", format!("{payload}.{header}.{signature}")),
            ("a space in front", format!(" {good}")),
            ("a line feed at the end", format!("{good}\n")),
            ("its scheme in front", format!("Bearer {good}")),
            ("a padded header", format!("{header}=.{payload}.{signature}")),
            ("a padded payload", format!("{header}.{payload}=.{signature}")),
            ("upper case", good.to_uppercase()),
            ("a JSON string", format!("\"{good}\"")),
            ("twice", format!("{good},{good}")),
            ("NUL at the end", format!("{good}\0")),
        ] {
            self.cases.push((what.into(), token));
        }
    }

    fn misplaced(&mut self) {
        for kind in [SecretKind::ApiKey, SecretKind::RefreshToken, SecretKind::SetupToken] {
            let secret = Secret::generate(kind).unwrap();
            self.case(format!("{kind:?} in its place"), secret.reveal());
        }
        self.case("a password in its place", "correct horse battery staple");
        self.case("a session id in its place", SESSION);
        let json_form = json!({"payload": "e30", "protected": "e30", "signature": ""}).to_string();
        self.case("the JSON form of RFC 7515", json_form);
        let rfc = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
                   Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        self.case("the example of RFC 7519", rfc);
    }
}

#[test]
fn no_forged_altered_expired_or_misplaced_token_is_accepted() {
    let mut forger = Forger::new();
    assert!(forger.tokens.verify(&forger.good(), NOW).is_ok(), "control: the token that all cases start from is good");
    forger.headers();
    forger.claims();
    forger.payloads();
    forger.signatures();
    forger.misplaced();
    assert!(forger.cases.len() > 150, "{}", forger.cases.len());
    for (what, token) in &forger.cases {
        let error = forger.tokens.verify(token, NOW).err().unwrap_or_else(|| panic!("accepted: {what}"));
        assert!(error.is(&problem::UNAUTHENTICATED), "{what}");
        assert_eq!(error.public_detail(), Some("The access token is not valid."), "{what}");
    }
}

#[test]
fn no_single_altered_character_is_accepted() {
    let forger = Forger::new();
    let good = forger.tokens.issue(
        crate::domain::id::Identifier::parse(USER).unwrap(),
        crate::domain::id::Identifier::parse(SESSION).unwrap(),
        NOW,
        std::time::Duration::from_mins(15),
    );
    let good = good.unwrap();
    assert!(forger.tokens.verify(&good, NOW).is_ok());
    for i in 0..good.len() {
        let mut altered = good.clone();
        altered.replace_range(i..=i, if &good[i..=i] == "A" { "B" } else { "A" });
        assert!(forger.tokens.verify(&altered, NOW).is_err(), "character {i}");
        assert!(forger.tokens.verify(&good[..i], NOW).is_err(), "cut at {i}");
    }
}
