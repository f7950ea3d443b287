//! The tables: made, brought up to date, and looked at.

use std::collections::BTreeSet;

use meter_core::UnixMillis;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::trouble::{Answer, Trouble};

/// The newest version of the tables. Each step from one to the next has its arm in [`migrate`].
const VERSION: u32 = 1;

/// What is known of the tables in a session.
#[derive(Debug)]
pub(super) struct Tables {
    schema: String,
    /// Months whose partitions are there. None in `TimescaleDB`, which makes its chunks by itself.
    months: Option<BTreeSet<(i64, i64)>>,
}

/// Makes what is missing, all at once or nothing of it.
pub(super) async fn prepare(client: &Client, schema: &str) -> Result<Tables, Trouble> {
    // Two that begin at once would both find nothing.
    let begin = format!("BEGIN; SELECT pg_advisory_xact_lock(hashtext('meterline {schema}'))");
    client.batch_execute(&begin).await?;
    let known = version(client, schema).await?;
    if known > VERSION {
        return Err(Trouble::Newer {
            found: known,
            known: VERSION,
        });
    }
    if known == 0 {
        begin_versions(client, schema).await?;
    }
    for version in known + 1..=VERSION {
        migrate(client, schema, version).await?;
    }
    let staging = "CREATE TEMPORARY TABLE IF NOT EXISTS meterline_staging (time timestamptz, \
                   meter text, obis text, value numeric, text text, unit text, status numeric) \
                   ON COMMIT DELETE ROWS; COMMIT";
    client.batch_execute(staging).await?;
    let kind = format!("SELECT relkind FROM pg_class WHERE oid = '{schema}.registers'::regclass");
    let partitioned = ask(client, &kind).await?.as_deref() == Some("p");
    Ok(Tables {
        schema: schema.to_owned(),
        months: partitioned.then(BTreeSet::new),
    })
}

/// The version of the tables that are there; 0 for none.
async fn version(client: &Client, schema: &str) -> Result<u32, Trouble> {
    let there = format!("SELECT to_regclass('{schema}.version')");
    if ask(client, &there).await?.is_none() {
        return Ok(0);
    }
    let version = format!("SELECT max(version) FROM {schema}.version");
    let version = ask(client, &version).await?;
    Ok(version
        .and_then(|version| version.parse().ok())
        .unwrap_or(0))
}

async fn begin_versions(client: &Client, schema: &str) -> Result<(), Trouble> {
    let there = format!("SELECT to_regnamespace('{schema}')");
    // `IF NOT EXISTS` would ask for a right that is not needed where it exists.
    if ask(client, &there).await?.is_none() {
        client
            .batch_execute(&format!("CREATE SCHEMA {schema}"))
            .await?;
    }
    let table = format!(
        "CREATE TABLE IF NOT EXISTS {schema}.version \
         (version integer PRIMARY KEY, since timestamptz NOT NULL DEFAULT now())"
    );
    Ok(client.batch_execute(&table).await?)
}

/// Makes the tables of `version` from those of the one before.
async fn migrate(client: &Client, schema: &str, version: u32) -> Result<(), Trouble> {
    if version == 1 {
        let timescale = has_timescale(client).await?;
        client.batch_execute(&first(schema, timescale)).await?;
    }
    let note = format!("INSERT INTO {schema}.version (version) VALUES ({version})");
    Ok(client.batch_execute(&note).await?)
}

/// Whether `TimescaleDB` is installed in this database.
async fn has_timescale(client: &Client) -> Result<bool, Trouble> {
    let extension = "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'";
    Ok(ask(client, extension).await?.is_some())
}

/// The first version of the tables.
fn first(schema: &str, timescale: bool) -> String {
    let partitions = if timescale {
        ""
    } else {
        " PARTITION BY RANGE (time)"
    };
    let mut sql = format!(
        "CREATE TABLE {schema}.registers (time timestamptz NOT NULL, meter text NOT NULL, \
         obis text NOT NULL, value numeric, text text, unit text, status numeric, \
         PRIMARY KEY (meter, obis, time)){partitions}"
    );
    if timescale {
        sql.push_str("; SELECT create_hypertable('");
        sql.push_str(schema);
        sql.push_str(".registers', 'time', chunk_time_interval => interval '1 month')");
    }
    sql
}

impl Tables {
    /// Makes the partitions that rows of these times need.
    pub(super) async fn make_room(
        &mut self,
        client: &Client,
        times: impl Iterator<Item = UnixMillis>,
    ) -> Result<(), Trouble> {
        let Some(known) = &mut self.months else {
            return Ok(());
        };
        let months: BTreeSet<_> = times
            .map(month)
            .filter(|month| !known.contains(month))
            .collect();
        for (year, month) in months {
            // A time that nobody can mean has no partition, and its reading is refused.
            if (1..9999).contains(&year) {
                make_partition(client, &self.schema, (year, month)).await?;
            }
            known.insert((year, month));
        }
        Ok(())
    }

    /// The statement that moves rows from the staging table to where they stay.
    pub(super) fn insert(&self, columns: &str) -> String {
        format!(
            "INSERT INTO {}.registers ({columns}) SELECT {columns} FROM meterline_staging \
             ON CONFLICT DO NOTHING",
            self.schema
        )
    }
}

fn month(time: UnixMillis) -> (i64, i64) {
    let (year, month, _) = time.date();
    (year, month)
}

async fn make_partition(
    client: &Client,
    schema: &str,
    (year, month): (i64, i64),
) -> Result<(), Trouble> {
    let name = format!("{schema}.registers_{year:04}_{month:02}");
    // Making one that is there would lock the whole table for nothing.
    let there = format!("SELECT to_regclass('{name}')");
    if ask(client, &there).await?.is_some() {
        return Ok(());
    }
    let (next_year, next_month) = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS {name} PARTITION OF {schema}.registers FOR VALUES \
         FROM ('{year:04}-{month:02}-01T00:00:00Z') TO ('{next_year:04}-{next_month:02}-01T00:00:00Z')"
    );
    Ok(client.batch_execute(&sql).await?)
}

/// The first column of the first row of an answer. None if it is NULL or there is no row.
async fn ask(client: &Client, sql: &str) -> Result<Option<String>, Trouble> {
    let answer = client.simple_query(sql).await?;
    Ok(answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten().map(str::to_owned),
        _ => None,
    }))
}

/// Looks without writing anything, and returns what is there as a sentence.
pub(super) async fn look(client: &Client, schema: &str) -> Result<String, Trouble> {
    let server = ask(client, "SHOW server_version")
        .await?
        .unwrap_or_default();
    let rights = format!(
        "SELECT 1 WHERE has_database_privilege(current_database(), 'TEMPORARY') AND CASE \
         WHEN to_regnamespace('{schema}') IS NULL \
         THEN has_database_privilege(current_database(), 'CREATE') \
         ELSE has_schema_privilege('{schema}', 'CREATE, USAGE') END"
    );
    if ask(client, &rights).await?.is_none() {
        return Err(Trouble::Answer {
            answer: Answer {
                code: "42501".to_owned(),
                text: format!("this user may not make tables in schema {schema}"),
            },
            fix: String::new(),
        });
    }
    let tables = match version(client, schema).await? {
        0 if has_timescale(client).await? => "a TimescaleDB hypertable will be made".to_owned(),
        0 => "its tables will be made".to_owned(),
        found if found > VERSION => {
            return Err(Trouble::Newer {
                found,
                known: VERSION,
            });
        }
        found => format!("its tables are there (version {found})"),
    };
    Ok(format!(
        "PostgreSQL {server} lets us in, {tables} in schema {schema}"
    ))
}
