//! Nothing is told to a server that cannot show that it is the right one.

use emulator::{Board, Result};
use meter_sim::backend::Certificate;
use meter_sim::{Meter, MeterConfig, Telegram, model};

use crate::readings::{Sent, must_be_each_once, send};
use crate::world::World;

fn meter() -> Result<impl Iterator<Item = Telegram>> {
    let model = model::find("emh-mme40")?;
    Ok(Meter::new(model, &MeterConfig::default()))
}

/// The device says why it delivers nothing, at once and later, and keeps what it has read.
fn must_refuse(
    world: &World,
    board: &mut Board,
    meter: &mut impl Iterator<Item = Telegram>,
    why: &str,
) -> Result<Vec<Sent>> {
    let sent = send(board, meter.take(2))?;
    board.until(&format!("rest: {}: {why}", crate::world::SERVER))?;
    assert_eq!(world.backend.request_count(), 0, "nothing is posted");
    let log = world.device(board, &["log"])?;
    assert!(log.contains(why), "{log}");
    let info = world.info(board)?;
    let error = info["delivery"]["error"].as_str().unwrap_or_default();
    assert!(error.contains(why), "{info}");
    Ok(sent)
}

/// Then the right certificate is shown, and everything arrives.
fn refuses(certificate: Certificate, why: &str) -> Result {
    let Some(world) = World::showing(certificate)? else {
        return Ok(());
    };
    let Some(mut board) = world.bring_up(&world.rest(""))? else {
        return Ok(());
    };
    let mut meter = meter()?;
    let mut sent = must_refuse(&world, &mut board, &mut meter, why)?;
    world.backend.set_certificate(Certificate::Good)?;
    sent.extend(send(&mut board, meter.take(1))?);
    must_be_each_once(&world.arrive(sent.len()), &sent);
    Ok(())
}

const NOT_TRUSTED: &str = "nobody who is trusted has issued the server's certificate";

#[test]
fn another_authority() -> Result {
    refuses(Certificate::UnknownAuthority, NOT_TRUSTED)
}

#[test]
fn a_leaf_signed_by_a_leaf() -> Result {
    refuses(Certificate::SignedByLeaf, NOT_TRUSTED)
}

#[test]
fn signed_with_its_own_key() -> Result {
    refuses(Certificate::SelfSigned, NOT_TRUSTED)
}

#[test]
fn another_name() -> Result {
    refuses(
        Certificate::WrongName,
        "the server's certificate is for another name",
    )
}

#[test]
fn expired() -> Result {
    refuses(Certificate::Expired, "the server's certificate has expired")
}

#[test]
fn not_yet_valid() -> Result {
    refuses(
        Certificate::NotYetValid,
        "the server's certificate is not valid yet",
    )
}

/// Without an authority of one's own, the public ones are asked, and they do not know this one.
#[test]
fn an_authority_of_ones_own_has_to_be_named() -> Result {
    let Some(world) = World::new()? else {
        return Ok(());
    };
    let settings = world.rest("");
    let public: String = settings
        .lines()
        .filter(|line| !line.starts_with("ca_file"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let Some(mut board) = world.bring_up(&public)? else {
        return Ok(());
    };
    let sent = must_refuse(&world, &mut board, &mut meter()?, NOT_TRUSTED)?;
    // What was read before the new start arrives as well.
    world.configure(&mut board, &settings)?;
    must_be_each_once(&world.arrive(sent.len()), &sent);
    Ok(())
}
