//! An OpenID provider on this machine, which answers as a test says.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use orderd::domain::time::Timestamp;
use ring::{
    digest,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

/// A running provider.
pub struct Provider {
    address: SocketAddr,
    state: Arc<Mutex<Behaviour>>,
}

struct Behaviour {
    issuer: String,
    key: EcdsaKeyPair,
    /// The key that it publishes, which a test can make another one than the key that signs.
    published: Value,
    kid: String,
    claims: Value,
    challenge: String,
    user_info: Value,
    key_requests: usize,
    is_down: bool,
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn generate() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap()
}

fn jwk(key: &EcdsaKeyPair, kid: &str) -> Value {
    let point = key.public_key().as_ref();
    let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
    json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256", "x": x, "y": y})
}

type Shared = State<Arc<Mutex<Behaviour>>>;

impl Provider {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let key = generate();
        let state = Arc::new(Mutex::new(Behaviour {
            issuer: format!("http://{address}"),
            published: jwk(&key, "k1"),
            key,
            kid: "k1".to_owned(),
            claims: Value::Null,
            challenge: String::new(),
            user_info: json!({"sub": "1"}),
            key_requests: 0,
            is_down: false,
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(keys))
            .route("/token", post(token))
            .route("/userinfo", get(user_info))
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, state }
    }

    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    fn behaviour(&self) -> MutexGuard<'_, Behaviour> {
        self.state.lock().unwrap()
    }

    /// Answers the next code as the request of the browser demands, with these claims besides or in place of the usual.
    pub fn expect(&self, sent: &HashMap<String, String>, claims: Value, now: Timestamp) {
        let now = now.seconds();
        let mut all = json!({
            "iss": self.issuer(), "aud": sent["client_id"], "sub": "1", "nonce": sent["nonce"],
            "iat": now, "exp": now + 300,
        });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        let mut behaviour = self.behaviour();
        behaviour.claims = all;
        behaviour.challenge = sent["code_challenge"].clone();
    }

    /// Tells this as UserInfo.
    pub fn tell(&self, user_info: Value) {
        self.behaviour().user_info = user_info;
    }

    /// Signs with a new key, and publishes it.
    pub fn rotate(&self) {
        let mut behaviour = self.behaviour();
        behaviour.key = generate();
        behaviour.kid = "k2".to_owned();
        behaviour.published = jwk(&behaviour.key, "k2");
    }

    /// Signs with a key that is not the published one of this name.
    pub fn sign_with_a_strangers_key(&self) {
        self.behaviour().key = generate();
    }

    /// Signs with a key of a name that it does not publish.
    pub fn sign_with_an_unknown_kid(&self) {
        self.behaviour().kid = "k3".to_owned();
    }

    /// How often its keys were asked for.
    pub fn key_requests(&self) -> usize {
        self.behaviour().key_requests
    }

    /// Answers nothing but failures from now on.
    pub fn fail(&self) {
        self.behaviour().is_down = true;
    }
}

async fn metadata(State(state): Shared) -> Result<Json<Value>, StatusCode> {
    let state = state.lock().unwrap();
    if state.is_down {
        return Err(StatusCode::BAD_GATEWAY);
    }
    let at = |path: &str| format!("{}{path}", state.issuer);
    Ok(Json(json!({
        "issuer": state.issuer, "authorization_endpoint": at("/authorize?tenant=1"), "token_endpoint": at("/token"),
        "jwks_uri": at("/jwks"), "userinfo_endpoint": at("/userinfo"), "response_types_supported": ["code"],
    })))
}

async fn keys(State(state): Shared) -> Json<Value> {
    let mut state = state.lock().unwrap();
    state.key_requests += 1;
    Json(json!({"keys": [state.published]}))
}

/// Checks what a provider checks: the client, by its encoded name and secret, and the verifier of the journey.
async fn token(State(state): Shared, headers: HeaderMap, body: String) -> Result<Json<Value>, StatusCode> {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let sent: HashMap<_, _> = pairs.map(|(name, value)| (name, decode(value))).collect();
    let state = state.lock().unwrap();
    let basic = format!("Basic {}", STANDARD.encode("shop%20%26%20co:a%20secret%3A%20100%25"));
    let challenge = encode(digest::digest(&digest::SHA256, sent["code_verifier"].as_bytes()).as_ref());
    let is_right = headers["authorization"] == basic.as_str()
        && sent["grant_type"] == "authorization_code"
        && sent["code"] == "c1"
        && sent["redirect_uri"] == "http://localhost:8080/v1/auth/oidc/callback"
        && challenge == state.challenge;
    if !is_right {
        return Err(StatusCode::BAD_REQUEST);
    }
    let header = json!({"alg": "ES256", "kid": state.kid}).to_string();
    let message = format!("{}.{}", encode(header.as_bytes()), encode(state.claims.to_string().as_bytes()));
    let signature = state.key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    let token = format!("{message}.{}", encode(signature.as_ref()));
    Ok(Json(json!({"access_token": "at", "token_type": "Bearer", "expires_in": 300, "id_token": token})))
}

async fn user_info(State(state): Shared, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    if headers["authorization"] != "Bearer at" {
        return Err(StatusCode::UNAUTHORIZED);
    }
    Ok(Json(state.lock().unwrap().user_info.clone()))
}
