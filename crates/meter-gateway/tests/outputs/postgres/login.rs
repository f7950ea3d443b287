//! Passwords, rights, certificates, sockets.

use meter_gateway::config::Secret;

use super::server::PASSWORD;
use super::setup::*;

#[tokio::test]
async fn what_is_wrong_with_user_database_and_rights_is_said() -> Result {
    let Some(mut setup) = Setup::new().await? else {
        return Ok(());
    };
    setup.append_all(0..10).await?;
    let good = setup.config.clone();

    setup.config.password = Some(Secret::literal("another"));
    for words in [setup.probe().await.unwrap_err(), setup.stuck().await?] {
        assert_says(&words, &["28P01", ": check username and password"]);
        assert!(!words.contains("another"), "{words}");
    }
    setup.config.password = None;
    for words in [setup.probe().await.unwrap_err(), setup.stuck().await?] {
        assert_says(&words, &["it asks for a password: set password"]);
    }
    setup.config = good.clone();
    setup.config.url = format!("postgres://localhost:{}/missing", setup.server.port);
    let fix = "`CREATE DATABASE missing OWNER meterline`";
    for words in [setup.probe().await.unwrap_err(), setup.stuck().await?] {
        assert_says(&words, &["3D000", fix]);
    }
    let user = format!("CREATE USER stranger PASSWORD '{PASSWORD}'");
    setup.server.sql("postgres", &user)?;
    setup.config = good.clone();
    setup.config.username = Some("stranger".to_owned());
    let fix = "`GRANT CREATE, TEMPORARY ON DATABASE meters TO stranger`";
    for words in [setup.probe().await.unwrap_err(), setup.stuck().await?] {
        assert_says(&words, &["42501", fix]);
    }
    // The fix is one.
    let running = setup.start().await?;
    setup.server.sql(
        "postgres",
        "GRANT CREATE, TEMPORARY ON DATABASE meters TO stranger",
    )?;
    running.until_delivered().await?;
    running.stop().await?;
    assert_eq!(setup.rows()?, setup.expected().await?);
    // Now they are somebody else's.
    setup.config = good;
    assert_says(
        &setup.probe().await.unwrap_err(),
        &["42501", "OWNER TO meterline"],
    );
    Ok(())
}

#[tokio::test]
async fn a_good_server_is_said_before_and_after() -> Result {
    let Some(setup) = Setup::new().await? else {
        return Ok(());
    };
    let said = setup.probe().await?;
    let parts = [
        "PostgreSQL 1",
        "lets us in, its tables will be made",
        "the certificate is good",
    ];
    assert_says(&said, &parts);
    setup.append_all(0..1).await?;
    setup.deliver_all().await?;
    assert_says(&setup.probe().await?, &["its tables are there (version 1)"]);
    setup.server.sql(
        "meters",
        "INSERT INTO meterline.version (version) VALUES (2)",
    )?;
    setup.append_all(1..2).await?;
    for words in [setup.probe().await.unwrap_err(), setup.stuck().await?] {
        assert_says(&words, &["of version 2, made by a newer meterline"]);
    }
    Ok(())
}

/// Which certificates are not trusted is in the suite.
#[tokio::test]
async fn a_server_without_tls_is_told_no_password() -> Result {
    let Some(mut setup) = Setup::new().await? else {
        return Ok(());
    };
    setup.append_all(0..10).await?;
    setup.server.kill()?;
    setup.server.run(false)?;
    for words in [setup.probe().await.unwrap_err(), setup.stuck().await?] {
        assert_says(
            &words,
            &["localhost offers no TLS", "set allow_insecure = true"],
        );
    }
    assert_eq!(
        setup
            .server
            .sql("meters", "SELECT to_regclass('meterline.registers')")?
            .trim(),
        ""
    );
    setup.config.remote.allow_insecure = true;
    assert_says(
        &setup.probe().await?,
        &["nothing is encrypted (allow_insecure)"],
    );
    setup.deliver_all().await?;
    assert_eq!(setup.rows()?, setup.expected().await?);
    Ok(())
}

#[tokio::test]
async fn by_the_socket_of_this_machine() -> Result {
    let Some(mut setup) = Setup::new().await? else {
        return Ok(());
    };
    let directory = setup.server.directory.path().display().to_string();
    let escaped = directory.replace('/', "%2F");
    setup.config = config(format!("postgres://{escaped}:{}/meters", setup.server.port));
    setup.config.password = None;
    setup.append_all(0..10).await?;
    let said = setup.probe().await?;
    assert_says(
        &said,
        &[
            "database meters on the socket in ",
            "by a socket of this machine",
        ],
    );
    setup.deliver_all().await?;
    assert_eq!(setup.rows()?, setup.expected().await?);
    Ok(())
}
