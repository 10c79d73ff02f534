//! Who is nobody to tapdesk, although Teams brings what they write?

use anyhow::ensure;
use serde_json::json;
use tapdesk_tests::chance;
use tapdesk_tests::teams::Role;
use tapdesk_tests::world::World;

use super::in_teams;

#[tokio::test(flavor = "multi_thread")]
async fn guests_ask_for_nothing_and_decide_nothing() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.chat.set_guest(&world.ada.account, true);
    world.is_refused(&world.ada, &world.jane, "I cannot tell who you are in the directory").await?;
    world.chat.set_guest(&world.ada.account, false);
    world.ada_asks_for_jane().await?;
    let value = world.value_of(&world.mary, "Approve")?;
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    // A guest of the tenant is one in the directory too: on call or not, nobody asks them.
    world.otto.person.internal_guest();
    world.chat.set_guest(&world.otto.account, true);
    world.ada_asks_for_jane().await?;
    ensure!(world.card(&world.otto, "Approve").is_err(), "a guest was asked");
    for value in [value, world.value_of(&world.mary, "Approve")?] {
        world.presses_with(&world.otto, "approve", &value).await?;
    }
    ensure!(world.events("approval.given")? == 0, "a guest approved");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_without_an_account_are_refused() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.ada_asks_for_jane().await?;
    let value = world.value_of(&world.mary, "Approve")?;
    let mary = world.mary.account.in_teams();
    let anonymous = world.teams().change(mary, |mary| {
        mary.object_id = None;
        mary.role = Role::Anonymous;
    });
    let data = json!({"choice": "approve", "value": value});
    for reply in [
        world.teams().types(&anonymous, "tap for jane.doe@contoso.com lost her phone").await,
        world.teams().execute(&anonymous, "approve", &data).await,
    ] {
        ensure!(reply.status.is_some_and(|status| status == 403) && reply.body.is_empty(), "{reply:?}");
    }
    world.settle().await?;
    ensure!(world.events("approval.given")? == 0 && world.events("request.received")? == 1);
    world.presses(&world.otto, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_that_names_our_bot_in_an_app_of_its_own_is_refused() -> anyhow::Result<()> {
    let world = in_teams().await?;
    world.ada_asks_for_jane().await?;
    let before = world.footprint()?;
    let elsewhere = chance::id_of("tenant", "fabrikam");
    // Somebody elsewhere has an account with the very object id of Mary: the tenant is what tells them apart.
    let twin =
        world.teams().change(world.mary.account.in_teams(), |mary| mary.tenant_id.clone_from(&elsewhere));
    let reply = world.teams().types(&twin, "tap for jane.doe@contoso.com lost her phone").await;
    ensure!(reply.failure.is_some() && reply.body.is_empty(), "{reply:?}");
    // With a token for the service of that tenant, as the Connector would make one.
    let mut activity = world.teams().message_activity(&twin, "tap help");
    let service = world.teams().service_url().to_string();
    activity["serviceUrl"] = json!(service);
    let reply = world.teams().bring(&activity, &world.teams().token()).await;
    ensure!(reply.status.is_some_and(|status| status == 403) && reply.body.is_empty(), "{reply:?}");
    ensure!(world.footprint()? == before, "another tenant left something behind");
    world.teams().change(world.mary.account.in_teams(), |mary| *mary = world.mary.account.in_teams().clone());
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_addresses_in_teams_prove_nothing() -> anyhow::Result<()> {
    let world: World = in_teams().await?;
    let eve = world.colleague("Eve Else", "eve.else@contoso.com");
    world.ada_asks_for_jane().await?;
    let card = world.card(&world.mary, "Approve")?;
    let mary = world.mary.account.in_teams().clone();
    let like_mary = world.teams().change(eve.account.in_teams(), |eve| {
        eve.name.clone_from(&mary.name);
        eve.email.clone_from(&mary.email);
        eve.upn = "mary.major@contoso.com".to_owned();
    });
    world.teams().press_as(&like_mary, &mary, card.in_teams(), "Approve").await?;
    world.settle().await?;
    ensure!(world.events("approval.given")? == 0, "a name decided");
    world.presses(&world.mary, "Deny").await?;
    world.everybody_reads();
    world.finish_unread().await
}
