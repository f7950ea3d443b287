//! What is in the table is what is in the journal.

use super::setup::*;

const DAY: i64 = 86_400_000;

#[tokio::test]
async fn months_have_partitions() -> Result {
    let Some(setup) = Setup::new().await? else {
        return Ok(());
    };
    for index in 0..400 {
        let time = START + index * DAY / 4;
        setup.append_at(&METER, time, index).await?;
    }
    setup.deliver_all().await?;
    let rows = setup.rows()?;
    assert_eq!(rows.len(), 400 * 5);
    assert_eq!(rows, setup.expected().await?);
    let partitions = setup.server.sql(
        "meters",
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'meterline.registers'::regclass",
    )?;
    assert_eq!(partitions.trim(), "5");
    Ok(())
}

#[tokio::test]
async fn readings_that_come_again_change_nothing() -> Result {
    let Some(setup) = Setup::new().await? else {
        return Ok(());
    };
    setup.append_all(0..50).await?;
    setup.deliver_all().await?;
    // The same readings under other numbers.
    setup.append_all(0..60).await?;
    setup.deliver_all().await?;
    let mut expected = setup.expected().await?;
    assert_eq!(expected.len(), 110 * 5);
    expected.dedup();
    assert_eq!(setup.rows()?, expected);
    Ok(())
}

/// What docs/postgres.md shows, from top to bottom.
#[tokio::test]
async fn the_documented_example_works() -> Result {
    let Some(mut setup) = Setup::new().await? else {
        return Ok(());
    };
    let page = include_str!("../../../../../docs/postgres.md");
    let blocks = |language: &str| -> Vec<&str> {
        let fence = format!("```{language}\n");
        let rest = page.split(fence.as_str()).skip(1);
        rest.filter_map(|rest| Some(rest.split_once("```")?.0))
            .collect()
    };
    let sql = blocks("sql");
    setup.server.sql("postgres", "DROP DATABASE meters")?;
    setup.server.sql("postgres", "DROP USER meterline")?;
    // CREATE DATABASE wants to be alone.
    for statement in sql[0].split_inclusive(";\n") {
        setup.server.sql("postgres", statement)?;
    }
    let text = blocks("toml")[0]
        .replace(
            "db.example.org",
            &format!("localhost:{}", setup.server.port),
        )
        .replace("file:/etc/meterline/postgres", "THE-PASSWORD");
    let config = meter_gateway::config::Config::parse("docs/postgres.md", &text)?;
    let output = config.output.into_values().next();
    let Some(meter_gateway::output::Config::Postgres(mut output)) = output else {
        return Err("no output".into());
    };
    output
        .remote
        .ca_file
        .clone_from(&setup.config.remote.ca_file);
    setup.config = output;
    setup.append_all(0..10).await?;
    setup.deliver_all().await?;
    assert_eq!(setup.rows()?, setup.expected().await?);
    let answers = sql[1..]
        .iter()
        .map(|query| setup.server.sql("meters", query));
    for answer in answers {
        assert!(!answer?.trim().is_empty());
    }
    Ok(())
}

/// `TimescaleDB` itself is not in Debian: this stands in for it, and shows that it is asked.
#[tokio::test]
async fn timescale_is_asked_for_a_hypertable_where_it_is_installed() -> Result {
    let Some(setup) = Setup::new().await? else {
        return Ok(());
    };
    setup.server.sql(
        "meters",
        "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) \
         VALUES (99999, 'timescaledb', 10, 2200, false, 'stand-in'); \
         CREATE TABLE public.asked (what text); GRANT ALL ON public.asked TO PUBLIC; \
         CREATE FUNCTION public.create_hypertable(relation regclass, time_column_name name, \
         chunk_time_interval interval) RETURNS void LANGUAGE sql AS $$ \
         INSERT INTO public.asked VALUES (relation || ' ' || time_column_name) $$",
    )?;
    assert_says(
        &setup.probe().await?,
        &["a TimescaleDB hypertable will be made"],
    );
    setup.append_all(0..10).await?;
    setup.deliver_all().await?;
    let asked = setup
        .server
        .sql("meters", "SELECT what FROM public.asked")?;
    assert_eq!(asked.trim(), "registers time");
    assert_eq!(setup.rows()?, setup.expected().await?);
    Ok(())
}
