//! Does the simulated Graph refuse what the real one refuses?

use std::sync::Arc;

use axum::http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::people::{PhoneType, role};

/// A client for tests of simulators: no limits, since nothing here is the program.
#[expect(clippy::disallowed_methods, reason = "the program's own client must not hide what a simulator does")]
pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().build().unwrap()
}

struct Stage {
    company: Company,
    entra: Entra,
    graph: Graph,
    client: reqwest::Client,
    now: Arc<Mutex<Timestamp>>,
}

impl Stage {
    async fn new() -> Self {
        let now = Arc::new(Mutex::new("2026-03-02T12:00:00Z".parse().unwrap()));
        let shared = Arc::clone(&now);
        let clock: Clock = Arc::new(move || *lock(&shared));
        let company = Company::new();
        let entra = Entra::start(Arc::clone(&clock)).await.unwrap();
        let graph = Graph::start(company.clone(), entra.clone(), clock).await.unwrap();
        Self { company, entra, graph, client: client(), now }
    }

    fn wait(&self, minutes: i64) {
        *lock(&self.now) += SignedDuration::from_mins(minutes);
    }

    async fn token(&self) -> String {
        let url = self.entra.url.join(&format!("{}/oauth2/v2.0/token", self.entra.tenant_id)).unwrap();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.entra.client_id),
            ("client_secret", &self.entra.client_secret()),
            ("scope", "https://graph.microsoft.com/.default"),
        ];
        let answer: Value = self.client.post(url).form(&form).send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let url =
            if path.starts_with("http") { path.to_owned() } else { format!("{}v1.0/{path}", self.graph.url) };
        let mut request = self.client.request(method, url).bearer_auth(self.token().await);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, None).await
    }

    async fn make_pass(&self, person: &Person, body: Value) -> (u16, Value) {
        self.ask(Method::POST, &passes_of(person), Some(body)).await
    }
}

fn passes_of(person: &Person) -> String {
    format!("users/{}/authentication/temporaryAccessPassMethods", person.id())
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_user_is_found_by_id_name_and_filter() {
    let stage = Stage::new().await;
    let ohara = stage.company.person("Pat O'Hara", "pat.o'hara@contoso.com").with_mail("pat@contoso.com");
    let (_, by_id) = stage.get(&format!("users/{}", ohara.id())).await;
    assert_eq!(by_id["displayName"], "Pat O'Hara");
    assert!(by_id.get("accountEnabled").is_none());
    let (_, selected) = stage.get("users/pat.o'hara@contoso.com?$select=id,accountEnabled").await;
    assert_eq!((selected.get("mail"), &selected["accountEnabled"]), (None, &json!(true)));
    let (_, found) =
        stage.get("users?$filter=userPrincipalName%20eq%20'x'%20or%20mail%20eq%20'PAT@contoso.com'").await;
    assert_eq!(found["value"][0]["id"], json!(ohara.id()));
    assert_eq!(code(&stage.get("users?$filter=startswith(mail,'p')").await), (400, "BadRequest"));
    assert_eq!(code(&stage.get("users/nobody@contoso.com").await), (404, "Request_ResourceNotFound"));
    assert_eq!(
        code(&stage.get(&format!("users/{}/manager", ohara.id())).await),
        (404, "Request_ResourceNotFound")
    );
}

#[tokio::test]
async fn a_token_is_needed_and_errors_carry_their_ids() {
    let stage = Stage::new().await;
    let url = format!("{}v1.0/users/x", stage.graph.url);
    let token = stage.token().await;
    let answer =
        stage.client.get(&url).bearer_auth(&token).header("client-request-id", "mine").send().await.unwrap();
    assert_eq!(answer.headers()["client-request-id"], "mine");
    assert_eq!(answer.headers()["date"], "Mon, 02 Mar 2026 12:00:00 GMT");
    let request_id = answer.headers()["request-id"].to_str().unwrap().to_owned();
    let body: Value = answer.json().await.unwrap();
    let inner =
        json!({ "date": "2026-03-02T12:00:00", "request-id": request_id, "client-request-id": "mine" });
    assert_eq!(body["error"]["innerError"], inner);
    stage.entra.revoke_tokens();
    let answer = stage.client.get(&url).bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    stage.entra.answer_for_tenant("11111111-2222-4333-8444-555555555555");
    assert_eq!(code(&stage.get("users/x").await), (403, "Authorization_IdentityNotFound"));
}

#[tokio::test]
async fn memberships_come_in_pages_and_name_their_types() {
    let stage = Stage::new().await;
    stage.graph.page_size(1);
    let jane = stage.company.person("Jane Doe", "jane@contoso.com").has_role(role::GLOBAL_ADMINISTRATOR);
    let inner = stage.company.group("inner").member(&jane);
    let outer = stage.company.group("outer").subgroup(&inner).role_assignable();
    let mut types = Vec::new();
    let mut next =
        Some(format!("users/{}/transitiveMemberOf?$select=id,isAssignableToRole,roleTemplateId", jane.id()));
    while let Some(path) = next {
        let (status, page) = stage.get(&path).await;
        assert_eq!((status, page["value"].as_array().unwrap().len()), (200, 1));
        types.push(page["value"][0]["@odata.type"].as_str().unwrap().to_owned());
        next = page["@odata.nextLink"].as_str().map(ToOwned::to_owned);
    }
    assert_eq!(types, ["#microsoft.graph.group", "#microsoft.graph.group", "#microsoft.graph.directoryRole"]);
    let cast = format!("users/{}/transitiveMemberOf/microsoft.graph.group", jane.id());
    assert_eq!(code(&stage.get(&cast).await), (400, "Request_UnsupportedQuery"));
    let check = format!("users/{}/checkMemberGroups", jane.id());
    let ids = json!({ "groupIds": [outer.id(), chance::id("unknown")] });
    assert_eq!(stage.ask(Method::POST, &check, Some(ids)).await.1["value"], json!([outer.id()]));
    let many: Vec<String> = (0..21).map(|_| chance::id("unknown")).collect();
    let many = stage.ask(Method::POST, &check, Some(json!({ "groupIds": many }))).await;
    assert_eq!(code(&many), (400, "Request_BadRequest"));
}

#[tokio::test]
async fn every_read_needs_its_permission() {
    let stage = Stage::new().await;
    let jane = stage.company.person("Jane Doe", "jane@contoso.com");
    stage.entra.grant(&[]);
    let user = format!("users/{}", jane.id());
    for path in ["", "/manager", "/transitiveMemberOf", "/ownedObjects"] {
        assert_eq!(
            code(&stage.get(&format!("{user}{path}")).await),
            (403, "Authorization_RequestDenied"),
            "{path}"
        );
    }
    for path in ["temporaryAccessPassMethods", "phoneMethods", "methods"] {
        let answer = stage.get(&format!("{user}/authentication/{path}")).await;
        assert_eq!(code(&answer), (403, "accessDenied"), "{path}");
        assert_eq!(answer.1["error"]["innerError"]["message"], "Request Authorization failed");
    }
    for path in ["roleAssignments", "roleEligibilityScheduleInstances"] {
        let answer = stage.get(&format!("roleManagement/directory/{path}")).await;
        assert_eq!(code(&answer), (403, "Authorization_RequestDenied"), "{path}");
    }
    let policy =
        "policies/authenticationMethodsPolicy/authenticationMethodConfigurations/temporaryAccessPass";
    assert_eq!(code(&stage.get(policy).await), (403, "accessDenied"));
}

#[tokio::test]
async fn methods_are_listed_with_the_dates_that_graph_has() {
    let stage = Stage::new().await;
    let jane = stage.company.person("Jane Doe", "jane@contoso.com").mobile("+491701234512");
    stage.entra.grant_also("UserAuthenticationMethod.Read.All");
    stage.graph.registers(&jane, MethodType::Passkey);
    stage.graph.registers(&jane, MethodType::Authenticator);
    let _ = stage.graph.make_foreign_pass(&jane, 60);
    let (status, page) = stage.get(&format!("users/{}/authentication/methods", jane.id())).await;
    assert_eq!(status, 200);
    let methods = page["value"].as_array().unwrap().iter();
    let listed: Vec<(&str, bool)> = methods
        .map(|method| (method["@odata.type"].as_str().unwrap(), method["createdDateTime"].is_string()))
        .collect();
    let expected = [
        ("#microsoft.graph.passwordAuthenticationMethod", true),
        ("#microsoft.graph.phoneAuthenticationMethod", false),
        ("#microsoft.graph.fido2AuthenticationMethod", true),
        ("#microsoft.graph.microsoftAuthenticatorAuthenticationMethod", false),
        ("#microsoft.graph.temporaryAccessPassAuthenticationMethod", true),
    ];
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn a_caller_without_group_rights_sees_stubs() {
    let stage = Stage::new().await;
    let jane = stage.company.person("Jane Doe", "jane@contoso.com");
    let group = stage.company.group("Admins").member(&jane).role_assignable();
    stage.entra.withhold("GroupMember.Read.All");
    let (_, page) =
        stage.get(&format!("users/{}/transitiveMemberOf?$select=id,isAssignableToRole", jane.id())).await;
    let stub =
        json!({ "@odata.type": "#microsoft.graph.group", "id": group.id(), "isAssignableToRole": null });
    assert_eq!(page["value"], json!([stub]));
}

#[tokio::test]
async fn an_authentication_administrator_is_kept_away_from_the_privileged() {
    let stage = Stage::new().await;
    let jane = stage.company.person("Jane Doe", "jane@contoso.com").mobile("+491701234512");
    let boss = stage.company.person("Bo Boss", "bo@contoso.com").has_role(role::GLOBAL_ADMINISTRATOR);
    let phones = format!("users/{}/authentication/phoneMethods", jane.id());
    assert_eq!(stage.get(&phones).await.1["value"][0]["phoneNumber"], "+49 1701234512");
    stage.entra.grant(&["User.Read.All"]);
    assert_eq!(code(&stage.make_pass(&jane, json!({})).await), (403, "accessDenied"));
    stage.graph.app_role(AppRole::AuthenticationAdministrator);
    assert_eq!(stage.make_pass(&jane, json!({})).await.0, 201);
    assert_eq!(code(&stage.make_pass(&boss, json!({})).await), (403, "accessDenied"));
    let phone = stage.get(&phones).await.1["value"][0].clone();
    assert_eq!(
        (&phone["phoneNumber"], &phone["id"]),
        (&json!("+XX XXXXXXXX12"), &json!(PhoneType::Mobile.id()))
    );
}

#[tokio::test]
async fn the_policy_decides_who_gets_which_pass() {
    let stage = Stage::new().await;
    let jane = stage.company.person("Jane Doe", "jane@contoso.com");
    let guest = stage.company.guest("Gus Guest", "gus@fabrikam.com");
    let kept = stage.company.person("Kim Kept", "kim@contoso.com").management_restricted();
    let message =
        |answer: &(u16, Value)| answer.1["error"]["message"].as_str().unwrap_or_default().to_owned();
    let short = stage.make_pass(&jane, json!({ "lifetimeInMinutes": 10 })).await;
    assert_eq!(message(&short), "Invalid LifetimeInMinutes specified. The valid range between 60 and 480.");
    assert!(message(&stage.make_pass(&guest, json!({})).await).contains("external guest user"));
    assert_eq!(code(&stage.make_pass(&kept, json!({})).await), (403, "accessDenied"));
    stage.graph.policy(|p| p.one_time = true);
    assert_eq!(stage.make_pass(&jane, json!({ "isUsableOnce": false })).await.1["isUsableOnce"], json!(true));
    stage.graph.policy(|p| p.exclude = vec![Target::User(jane.id().to_owned())]);
    let refused = stage.make_pass(&jane, json!({})).await;
    assert!(message(&refused).starts_with("Converged UserCredentialPolicy does not allow"));
    stage.graph.policy(|p| p.makes_unusable_passes = true);
    let (status, pass) = stage.make_pass(&jane, json!({})).await;
    assert_eq!((status, &pass["methodUsabilityReason"]), (201, &json!("DisabledByPolicy")));
}

#[tokio::test]
async fn a_pass_is_shown_once_replaced_used_and_deleted() {
    let stage = Stage::new().await;
    let jane = stage.company.person("Jane Doe", "jane@contoso.com");
    let theirs = stage.graph.make_foreign_pass(&jane, 60);
    let (_, pass) = stage.make_pass(&jane, json!({ "lifetimeInMinutes": 60, "isUsableOnce": true })).await;
    let passcode = pass["temporaryAccessPass"].as_str().unwrap();
    assert!(passcode.len() == 8 && passcode.contains('+'));
    assert_eq!(stage.graph.use_pass(&jane, &theirs.passcode), SignIn::Wrong);
    let listed = stage.get(&passes_of(&jane)).await.1["value"].clone();
    assert_eq!((listed[0]["temporaryAccessPass"].clone(), &listed[0]["id"]), (Value::Null, &pass["id"]));
    assert_eq!(stage.graph.use_pass(&jane, passcode), SignIn::Ok);
    assert_eq!(stage.graph.use_pass(&jane, passcode), SignIn::AlreadyUsed);
    assert!(stage.graph.live_passes(&jane).is_empty());
    let path = format!("{}/{}", passes_of(&jane), pass["id"].as_str().unwrap());
    assert_eq!(stage.ask(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(stage.ask(Method::DELETE, &path, None).await.0, 404);
    let again = stage.graph.make_foreign_pass(&jane, 60);
    stage.wait(60);
    assert_eq!(stage.graph.use_pass(&jane, &again.passcode), SignIn::Expired);
    assert_eq!(stage.get(&passes_of(&jane)).await.1["value"][0]["methodUsabilityReason"], "Expired");
    assert_eq!(stage.graph.secrets().len(), 3);
}

#[tokio::test]
async fn a_held_request_lands_after_its_client_gave_up() {
    let stage = Stage::new().await;
    let jane = stage.company.person("Jane Doe", "jane@contoso.com");
    let gate = stage.graph.wire.hold_request("POST /v1.0/users");
    {
        let post = std::pin::pin!(stage.make_pass(&jane, json!({})));
        let arrived = std::pin::pin!(stage.graph.wire.arrived("POST /v1.0/users", 1));
        futures::future::select(post, arrived).await;
    }
    // Another exchange gives the server the time to notice that the first client is gone.
    let _ = stage.get(&passes_of(&jane)).await;
    assert!(stage.graph.passes().is_empty());
    gate.open();
    stage.graph.wire.landed().await;
    assert_eq!(stage.graph.live_passes(&jane).len(), 1);
}

#[tokio::test]
async fn troubles_look_like_the_real_ones() {
    let stage = Stage::new().await;
    let jane = stage.company.person("Jane Doe", "jane@contoso.com");
    stage.graph.throttle("GET", 1, Some("2.128"));
    assert_eq!(code(&stage.get("users/x").await), (429, "TooManyRequests"));
    stage.graph.wire.trouble("POST", 1, Trouble::DropAnswer);
    let url = format!("{}v1.0/{}", stage.graph.url, passes_of(&jane));
    let post = stage.client.post(url).bearer_auth(stage.token().await).json(&json!({}));
    assert!(post.send().await.is_err());
    assert_eq!(stage.graph.live_passes(&jane).len(), 1);
    assert_eq!(stage.graph.wire.last("POST").unwrap().status, None);
    let revoke = format!("users/{}/revokeSignInSessions", jane.id());
    assert_eq!(stage.ask(Method::POST, &revoke, None).await.1["value"], json!(true));
    assert_eq!(stage.graph.sessions_revoked(&jane), 1);
}

#[tokio::test]
async fn privilege_shows_in_assignments_eligibilities_and_ownership() {
    let stage = Stage::new().await;
    let jane = stage.company.person("Jane Doe", "jane@contoso.com").owns_application("Payroll");
    let unit = "/administrativeUnits/1";
    let jane = jane.has_role_in(role::USER_ADMINISTRATOR, unit).eligible_for(role::GLOBAL_ADMINISTRATOR);
    let admins = stage.company.group("Admins").owner(&jane).role_assignable();
    let of_jane = format!("?$filter=principalId%20eq%20'{}'", jane.id());
    let roles = "roleManagement/directory";
    let (_, assigned) = stage.get(&format!("{roles}/roleAssignments{of_jane}")).await;
    assert_eq!(assigned["value"][0]["directoryScopeId"], json!(unit));
    let (_, eligible) = stage.get(&format!("{roles}/roleEligibilityScheduleInstances{of_jane}")).await;
    assert_eq!(eligible["value"][0]["roleDefinitionId"], json!(role::GLOBAL_ADMINISTRATOR));
    let (_, of_nobody) = stage.get(&format!("{roles}/roleAssignments?$filter=principalId%20eq%20'x'")).await;
    assert_eq!(of_nobody["value"], json!([]));
    // Neither of the two roles shows as a membership.
    let (_, member_of) = stage.get(&format!("users/{}/transitiveMemberOf", jane.id())).await;
    assert_eq!(member_of["value"], json!([]));
    let (_, owned) =
        stage.get(&format!("users/{}/ownedObjects?$select=id,isAssignableToRole", jane.id())).await;
    let group =
        json!({ "@odata.type": "#microsoft.graph.group", "id": admins.id(), "isAssignableToRole": true });
    assert_eq!(
        (&owned["value"][0]["@odata.type"], &owned["value"][1]),
        (&json!("#microsoft.graph.application"), &group)
    );
}

#[tokio::test]
async fn a_new_pass_has_the_documented_shape() {
    let stage = Stage::new().await;
    let jane = stage.company.person("Jane Doe", "jane@contoso.com");
    stage.graph.mint_with(|length| format!("+canary-{length}"));
    let body =
        json!({ "lifetimeInMinutes": 90, "isUsableOnce": true, "startDateTime": "2026-03-02T13:00:00.000Z" });
    let (status, pass) = stage.make_pass(&jane, body).await;
    let expected = json!({
        "@odata.context": pass["@odata.context"],
        "@odata.type": "#microsoft.graph.temporaryAccessPassAuthenticationMethod",
        "id": pass["id"], "temporaryAccessPass": "+canary-8",
        "createdDateTime": "2026-03-02T12:00:00.0000000Z", "startDateTime": "2026-03-02T13:00:00Z",
        "lifetimeInMinutes": 90, "isUsableOnce": true, "isUsable": false, "methodUsabilityReason": "NotYetValid",
    });
    assert_eq!((status, pass), (201, expected));
    let policy =
        "policies/authenticationMethodsPolicy/authenticationMethodConfigurations/TemporaryAccessPass";
    let (_, policy) = stage.get(policy).await;
    let everybody = json!([{ "targetType": "group", "id": "all_users", "isRegistrationRequired": false }]);
    assert_eq!((&policy["state"], &policy["includeTargets"]), (&json!("enabled"), &everybody));
}
