//! Custom roles.

use crate::support::Service;
use serde_json::json;

#[tokio::test]
async fn built_in_roles_are_listed_and_cannot_be_changed() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let put = admin.put("/v1/roles/night-shift", json!({"permissions": ["orders:transition", "orders:read"]})).await;
    let expected =
        json!({"name": "night-shift", "permissions": ["orders:read", "orders:transition"], "built_in": false});
    assert_eq!(put.created().json(), &expected);
    let listed = admin.walk("/v1/roles?limit=2").await;
    let names: Vec<_> = listed.iter().map(|role| role["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["admin", "analyst", "customer", "manager", "night-shift", "staff"]);
    assert_eq!(
        listed[1],
        json!({"name": "analyst", "permissions": ["orders:read", "analytics:read"], "built_in": true})
    );
    assert_eq!(admin.get("/v1/roles?count=true&limit=1").await.ok()["page"]["total"], 6);
    for name in ["admin", "manager", "staff", "analyst", "customer"] {
        let path = format!("/v1/roles/{name}");
        admin.put(&path, json!({"permissions": []})).await.status(409).problem("built_in_role");
        admin.delete(&path).await.status(409).problem("built_in_role");
    }
}

#[tokio::test]
async fn a_changed_role_applies_at_once_to_all_its_users() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let put = |permissions: &[&str]| admin.put("/v1/roles/night", json!({"permissions": permissions}));
    put(&["orders:read"]).await.created();
    let grace = service.person("grace", "night").await;
    grace.get("/v1/orders").await.ok();
    grace.get("/v1/users").await.status(403);
    put(&["users:read"]).await.ok();
    grace.get("/v1/orders").await.status(403);
    grace.get("/v1/users").await.ok();
    service.reopen().await;
    grace.get("/v1/users").await.ok();
    admin.delete("/v1/roles/night").await.status(409).problem("role_in_use");
    admin.patch(&format!("/v1/users/{}", grace.id), json!({"role": "customer"})).await.ok();
    admin.delete("/v1/roles/night").await.no_content();
    admin.delete("/v1/roles/night").await.status(404).problem("not_found");
    let body = json!({"email": "n@example.com", "name": "N", "role": "night", "password": "a long and private phrase"});
    admin.post("/v1/users", body).await.status(422).faults(&[("#/role", "unknown")]);
}

#[tokio::test]
async fn bad_names_and_permissions_are_refused() {
    let service = Service::start().await;
    let (admin, manager) = (service.admin().await, service.manager().await);
    for name in ["Night", "2nd", "a.b", &"a".repeat(41)] {
        let answer = admin.put(&format!("/v1/roles/{name}"), json!({"permissions": []})).await.status(422);
        answer.faults(&[("name", "invalid_format")]);
        admin.delete(&format!("/v1/roles/{name}")).await.status(404);
    }
    let unknown = admin.put("/v1/roles/night", json!({"permissions": ["orders:read", "orders:burn"]})).await;
    unknown.status(422).faults(&[("#/permissions/1", "invalid_value")]);
    admin.put("/v1/roles/night", json!({})).await.status(422).faults(&[("#/permissions", "required")]);
    manager.put("/v1/roles/night", json!({"permissions": []})).await.status(403).problem("forbidden");
    manager.delete("/v1/roles/night").await.status(403).problem("forbidden");
    manager.get("/v1/roles").await.ok();
    service.staff().await.get("/v1/roles").await.status(403).problem("forbidden");
}
