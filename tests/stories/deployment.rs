//! Can tapdesk be run as `deploy` says: as a unit of systemd, in containers, in a cluster?
//!
//! Nothing is pulled or started here but the program. Each file is held against its schema, and against what the program
//! needs and serves.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tapdesk_tests::process::run;
use tapdesk_tests::world::{Setting, World};

use crate::manifests::{checked, deployed, manifest};

/// The highest exposure that `systemd-analyze security` may find in the unit, in tenths: 15 is "OK", and what is left of it
/// is that tapdesk speaks to the network.
const EXPOSURE: &str = "--threshold=15";

fn text(file: &str) -> anyhow::Result<String> {
    Ok(String::from_utf8(deployed(file)?)?)
}

/// What systemd says about the unit, on a machine that has the program.
fn asked(unit: &str, question: &[&str]) -> anyhow::Result<Output> {
    let files = tempfile::tempdir()?;
    let path = files.path().join("tapdesk.service");
    let program = std::env::current_exe()?;
    ensure!(unit.contains("=/usr/local/bin/tapdesk "), "the unit starts something else");
    std::fs::write(&path, unit.replace("/usr/local/bin/tapdesk", &program.display().to_string()))?;
    let output = Command::new("systemd-analyze").args(question).arg(&path).output();
    output.context("systemd-analyze cannot be started; tests/run installs it")
}

#[test]
fn systemd_takes_the_unit_and_finds_little_exposed() -> anyhow::Result<()> {
    let unit = text("tapdesk.service")?;
    let said = asked(&unit, &["verify"])?;
    let err = String::from_utf8_lossy(&said.stderr);
    ensure!(said.status.success() && !err.contains("tapdesk.service"), "{err}");
    let exposure = ["security", "--offline=true", EXPOSURE];
    let said = asked(&unit, &exposure)?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));

    // Both would tell.
    let said = asked(&unit.replace("NoNewPrivileges=yes", "NoNewPrivilege=yes"), &["verify"])?;
    ensure!(String::from_utf8_lossy(&said.stderr).contains("NoNewPrivilege"), "an unknown key is not seen");
    let said = asked(&unit.replace("SystemCallFilter=", "#"), &exposure)?;
    ensure!(!said.status.success(), "the exposure is not measured");
    Ok(())
}

/// What is written in a file, and what it is spoiled to.
type Spoils = &'static [(&'static str, &'static str)];

#[test]
fn the_schemas_take_what_runs_containers_and_refuse_what_is_spoiled() -> anyhow::Result<()> {
    let files: [(&str, &str, Spoils); 3] = [
        (
            "kubernetes",
            "kubernetes/tapdesk.yaml",
            &[
                ("readinessProbe:", "readynessProbe:"),
                ("replicas: 2", "replicas: two"),
                ("pathType:", "pathTyp:"),
            ],
        ),
        (
            "compose",
            "compose/compose.yaml",
            &[("healthcheck:", "healthchek:"), ("internal: true", "internl: true")],
        ),
        ("containerfile", "Containerfile", &[("\nUSER ", "\nUSR "), ("\nENTRYPOINT ", "\nENTRYPOIN ")]),
    ];
    for (kind, file, spoils) in files {
        let good = text(file)?;
        let said = checked(kind, good.as_bytes())?;
        ensure!(said["faults"] == json!([]), "{file}: {}", said["faults"]);
        for (right, wrong) in spoils {
            ensure!(good.contains(right), "{right} is not in {file}");
            let said = checked(kind, good.replace(right, wrong).as_bytes())?;
            ensure!(said["faults"] != json!([]), "{file} may say {wrong}");
        }
    }
    Ok(())
}

/// The object of a kind, of which there is one.
fn object<'m>(objects: &'m Value, kind: &str) -> anyhow::Result<&'m Value> {
    let mut found = objects.as_array().into_iter().flatten().filter(|object| object["kind"] == kind);
    let first = found.next().with_context(|| format!("no {kind}"))?;
    ensure!(found.next().is_none(), "several of {kind}");
    Ok(first)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_runs_two_replicas_that_it_can_look_after_and_that_can_do_little_else() -> anyhow::Result<()>
{
    let objects = manifest("kubernetes", &deployed("kubernetes/tapdesk.yaml")?)?;
    let set = &object(&objects, "StatefulSet")?["spec"];
    ensure!(set["replicas"] == 2 && set["volumeClaimTemplates"][0]["metadata"]["name"] == "ledger", "{set}");
    let labels = &set["template"]["metadata"]["labels"];
    for (kind, selector) in [
        ("Service", "/spec/selector"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("NetworkPolicy", "/spec/podSelector/matchLabels"),
    ] {
        ensure!(object(&objects, kind)?.pointer(selector) == Some(labels), "{kind} is about other pods");
    }
    ensure!(object(&objects, "PodDisruptionBudget")?["spec"]["maxUnavailable"] == 1);
    ensure!(object(&objects, "NetworkPolicy")?["spec"]["policyTypes"] == json!(["Ingress", "Egress"]));

    let pod = &set["template"]["spec"];
    ensure!(
        pod["securityContext"]["runAsNonRoot"] == true && pod["automountServiceAccountToken"] == false,
        "{pod}"
    );
    let container = &pod["containers"][0];
    let context = &container["securityContext"];
    ensure!(
        context["readOnlyRootFilesystem"] == true && context["allowPrivilegeEscalation"] == false,
        "{context}"
    );
    ensure!(context["capabilities"] == json!({"drop": ["ALL"]}), "{context}");
    // tapdesk finishes the work in hand in 25 seconds at most.
    ensure!(pod["terminationGracePeriodSeconds"].as_u64() > Some(25), "{pod}");

    // The probes ask what a running tapdesk answers.
    let world = World::start().await?;
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let asked = &container[probe]["httpGet"];
        ensure!(asked["port"] == "admin", "{asked}");
        let path = asked["path"].as_str().context("no path")?.trim_start_matches('/');
        ensure!(world.asks_admin(path).await?.0 == 200, "{path}");
    }
    world.finish().await
}

#[test]
fn compose_runs_two_replicas_on_a_redis_that_forgets_nothing_behind_a_proxy_that_tapdesk_believes()
-> anyhow::Result<()> {
    let compose = manifest("compose", &deployed("compose/compose.yaml")?)?;
    let services = &compose["services"];
    let [mut one, mut two] = ["tapdesk-1", "tapdesk-2"].map(|name| services[name].clone());
    for (replica, number) in [(&mut one, 1), (&mut two, 2)] {
        let replica = replica.as_object_mut().context("no replica")?;
        ensure!(replica.remove("hostname") == Some(json!(format!("tapdesk-{number}"))), "{replica:?}");
        let volumes = replica.remove("volumes").context("no volumes")?;
        ensure!(volumes[1] == format!("ledger-{number}:/var/lib/tapdesk"), "{volumes}");
    }
    ensure!(one == two && one["read_only"] == true && one["cap_drop"] == json!(["ALL"]), "{one}");
    let redis = services["redis"]["command"].as_str().context("no command")?;
    for setting in ["--aclfile /run/secrets/redis.acl", "--appendonly yes", "--appendfsync always"] {
        ensure!(redis.contains(setting), "{redis}");
    }
    ensure!(
        services["redis"]["networks"] == json!(["inside"])
            && compose["networks"]["inside"]["internal"] == true
    );

    let proxy = services["proxy"]["networks"]["outside"]["ipv4_address"].as_str().context("no address")?;
    ensure!(text("compose/compose.yaml")?.contains(&format!("trusted_proxies = [\"{proxy}\"]")), "{proxy}");
    let caddy = text("compose/Caddyfile")?;
    ensure!(caddy.contains("reverse_proxy tapdesk-1:8080 tapdesk-2:8080"), "{caddy}");
    ensure!(caddy.contains("health_port 9090") && caddy.contains("health_uri /readyz"), "{caddy}");
    let declared = compose["secrets"].as_object().context("no secrets")?;
    let used =
        ["tapdesk-1", "redis"].map(|name| services[name]["secrets"].as_array().cloned().unwrap_or_default());
    let used: BTreeSet<String> =
        used.concat().iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
    ensure!(declared.keys().cloned().collect::<BTreeSet<_>>() == used, "{used:?}");
    Ok(())
}

/// Both files tell how the example configuration has to be changed for them.
#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_that_the_containers_ask_for_can_be_used() -> anyhow::Result<()> {
    let files = tempfile::tempdir()?;
    for file in ["compose/compose.yaml", "kubernetes/tapdesk.yaml"] {
        let asks = text(file)?;
        let line = |start: &str| {
            let found = asks.lines().find_map(|line| line.trim_start_matches(['#', ' ']).strip_prefix(start));
            found
                .map(|rest| rest.replace("    ", "\n"))
                .with_context(|| format!("{file} says nothing of {start}"))
        };
        let proxies = line("trusted_proxies = ")?.replace('…', "10.0.0.5");
        let mut config = text("tapdesk.example.toml")?;
        let section = |config: &str, name: &str, new: &str| -> anyhow::Result<String> {
            let (before, rest) = config.split_once(&format!("\n[{name}]")).context("no such section")?;
            let (_, after) = rest.split_once("\n\n").context("no end of the section")?;
            Ok(format!("{before}\n{new}\n\n{after}"))
        };
        config = section(&config, "store", &format!("[store]\n{}", line("[store]")?.trim()))?;
        config = section(&config, "ledger", &format!("[ledger]\n{}", line("[ledger]")?.trim()))?;
        let top = ["listen = ", "admin_listen = ", "behind_tls_proxy = "];
        let top = top.map(|start| line(start).map(|rest| format!("{start}{rest}")));
        let top = top.into_iter().collect::<anyhow::Result<Vec<_>>>();
        let top = format!("{}\ntrusted_proxies = {proxies}", top?.join("\n"));
        config = section(&config, "tls", &top)?;
        let kept = |line: &&str| {
            !["listen = \"0.0.0.0:8443", "admin_listen = \"127"].iter().any(|old| line.starts_with(old))
        };
        let config = config.lines().filter(kept).collect::<Vec<_>>().join("\n");
        let path = files.path().join("tapdesk.toml");
        std::fs::write(&path, &config)?;
        let said = run(&path, &["check-config"]).await?;
        ensure!(said.code == Some(0), "{file}: {said:?}\n{config}");
        let both = config.replace("name_file = ", "name = \"tapdesk-1\"\nname_file = ");
        std::fs::write(&path, both)?;
        let said = run(&path, &["check-config"]).await?;
        ensure!(
            said.code == Some(1) && said.err.contains("either ledger.name or ledger.name_file"),
            "{said:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_in_a_container_names_its_ledger_after_its_host() -> anyhow::Result<()> {
    let world = World::without_tapdesk(Setting::default()).await?;
    let hostname = world.files.path().join("hostname");
    std::fs::write(&hostname, "tapdesk-1\n")?;
    let named = format!("[ledger]\nname_file = \"{}\"\n", hostname.display());
    let config = world.write_config(|text| {
        // Nobody listens there.
        text.replace("[ledger]\n", &named)
            .replace("admin_listen = \"127.0.0.1:0\"", "admin_listen = \"127.0.0.1:9\"")
    })?;
    for switch in ["on", "off"] {
        let said = run(&config, &["lockdown", switch]).await?;
        ensure!(said.code == Some(0), "{said:?}");
    }
    let said = run(&config, &["ledger", "verify"]).await?;
    ensure!(said.code == Some(0) && said.out.contains(": ledger tapdesk-1, "), "{said:?}");
    std::fs::write(&hostname, "not a name\n")?;
    let said = run(&config, &["lockdown", "status"]).await?;
    ensure!(said.code == Some(1) && said.err.contains("ledger.name_file"), "{said:?}");
    Ok(())
}
