//! Finds the table of spans by looking at which tables have which columns.

use std::collections::{BTreeMap, BTreeSet};

use super::client::Client;
use super::error::QueryError;
use super::sql::{Question, text, texts};
use super::table::{Kind, SpanTable, TraceTimes};
use crate::model::Timestamp;

/// A ClickHouse with its table of spans.
pub struct Store<'l> {
    pub(super) client: Client<'l>,
    pub table: SpanTable,
    /// What the server says that it is, such as `25.8.2.29`.
    pub version: String,
    /// The server's clock.
    pub now: Timestamp,
}

impl<'l> Store<'l> {
    pub const fn client(&self) -> &Client<'l> {
        &self.client
    }

    /// Asks what time it is now.
    ///
    /// # Errors
    ///
    /// [`QueryError`], as for every question.
    pub fn tell_time(&mut self) -> Result<(), QueryError> {
        self.now = time(&self.client)?;
        Ok(())
    }
}

/// The oldest version: it has `groupArraySorted`, which holds no more than it returns.
const OLDEST: &str = "24.1";
const OLDEST_PARTS: (u32, u32) = (24, 1);
/// The names of tables, those first that are to be asked where there are several.
const NAMES: [&str; 5] = [
    "distributed_signoz_index_v3",
    "signoz_index_v3",
    "otel_traces_distributed",
    "otel_traces_dist",
    "otel_traces",
];
const COLLECTOR: [&str; 13] = [
    "Timestamp",
    "TraceId",
    "SpanId",
    "ParentSpanId",
    "TraceState",
    "SpanName",
    "SpanKind",
    "ServiceName",
    "ResourceAttributes",
    "SpanAttributes",
    "Duration",
    "StatusCode",
    "StatusMessage",
];
/// Nested: a column for each part, or one for all.
const COLLECTOR_PARTS: [(&str, &str); 4] = [
    ("Events.Name", "Events"),
    ("Events.Attributes", "Events"),
    ("Links.TraceId", "Links"),
    ("Links.SpanId", "Links"),
];
const SIGNOZ: [&str; 16] = [
    "ts_bucket_start",
    "timestamp",
    "trace_id",
    "span_id",
    "parent_span_id",
    "trace_state",
    "name",
    "kind_string",
    "duration_nano",
    "status_code_string",
    "status_message",
    "attributes_string",
    "attributes_number",
    "attributes_bool",
    "resources_string",
    "events",
];

/// The types of a table's columns, by their names.
type Columns = BTreeMap<String, String>;
/// Tables, by database and name.
type Tables = BTreeMap<(String, String), Columns>;

/// Looks for the table of spans: the one that is named, as `table` or `database.table`, or
/// the one that is known by its columns.
///
/// # Errors
///
/// [`QueryError`]: that nobody answers, that the server is too old, or which tables there are.
pub fn find<'l>(client: Client<'l>, named: Option<&str>) -> Result<Store<'l>, QueryError> {
    let (version, now) = about(&client)?;
    let tables = tables(&client)?;
    let (database, table) = choose(&client, &tables, named)?;
    let columns = &tables[&(database.clone(), table.clone())];
    let kind = kind_of(columns).map_err(|lacks| QueryError::NotSpans {
        url: client.shown().to_owned(),
        table: format!("{database}.{table}"),
        lacks,
    })?;
    let engines = engines(&client, &database)?;
    let has = |column: &str| columns.contains_key(column);
    let table = SpanTable {
        kind,
        is_distributed: engines
            .get(&table)
            .is_some_and(|engine| matches!(&**engine, "Distributed" | "Proxy")),
        has_flags: has("flags"),
        has_scope: columns.get("scope").is_some_and(|kind| kind.starts_with("JSON")),
        has_service: has("resource_string_service$$name"),
        links: ["links", "references"].into_iter().find(|column| has(column)),
        times: times(&tables, &database, &table, kind),
        database,
        name: table,
    };
    Ok(Store { client, table, version, now })
}

fn about(client: &Client<'_>) -> Result<(String, Timestamp), QueryError> {
    // By itself: an old server does not know the functions of the other questions.
    let question = Question::new("who it is", "SELECT version()");
    let mut told = None;
    let asked = client.rows(&question, |(version,): (String,)| told = Some(version));
    let url = || client.shown().to_owned();
    let not = |said: &str| QueryError::NotClickhouse { url: url(), said: said.to_owned() };
    match asked {
        Err(QueryError::Broken { .. } | QueryError::Endless { .. }) => {
            return Err(not("something else than a row"));
        }
        asked => asked?,
    }
    let version = told.ok_or_else(|| not("no row"))?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let (Some(Some(year)), Some(Some(number))) = (parts.next(), parts.next()) else {
        return Err(not("a version that is none"));
    };
    if (year, number) < OLDEST_PARTS {
        let version = format!("{year}.{number}");
        return Err(QueryError::TooOld { url: url(), version, oldest: OLDEST });
    }
    let version: String = version.chars().filter(char::is_ascii_graphic).take(32).collect();
    Ok((version, time(client)?))
}

fn time(client: &Client<'_>) -> Result<Timestamp, QueryError> {
    let question = Question::new("what time it is", "SELECT toString(toUnixTimestamp64Nano(now64(9)))");
    let mut now = String::new();
    client.rows(&question, |(told,): (String,)| now = told)?;
    Ok(Timestamp::from_nanos(now.parse().unwrap_or_default()))
}

/// Every table that may hold spans, or say when traces were, with its columns.
fn tables(client: &Client<'_>) -> Result<Tables, QueryError> {
    const MOST: usize = 1_000;
    let sql = format!(
        "SELECT database, table, groupArray(name), groupArray(type)\n\
         FROM system.columns\n\
         WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema')\n\
         GROUP BY database, table\n\
         HAVING has(groupArray(name), 'TraceId') OR has(groupArray(name), 'trace_id')\n\
         ORDER BY database, table\n\
         LIMIT {MOST}"
    );
    let mut tables = Tables::new();
    let question = Question::new("which tables have spans", sql);
    client.rows(
        &question,
        |(database, table, names, types): (String, String, Vec<String>, Vec<String>)| {
            tables.insert((database, table), names.into_iter().zip(types).collect());
        },
    )?;
    Ok(tables)
}

fn engines(client: &Client<'_>, database: &str) -> Result<BTreeMap<String, String>, QueryError> {
    let sql = format!("SELECT name, engine FROM system.tables WHERE database = {}", text(database));
    let mut engines = BTreeMap::new();
    client.rows(
        &Question::new("which tables are distributed", sql),
        |(name, engine): (String, String)| {
            engines.insert(name, engine);
        },
    )?;
    Ok(engines)
}

/// Whose columns these are, or which are missing.
fn kind_of(columns: &Columns) -> Result<Kind, String> {
    let has = |column: &str| columns.contains_key(column);
    let missing = |known: &[&str]| -> Vec<String> {
        known.iter().filter(|column| !has(column)).map(|column| format!("`{column}`")).collect()
    };
    let mut collector = missing(&COLLECTOR);
    let parts = COLLECTOR_PARTS.iter().filter(|(part, whole)| !has(part) && !has(whole));
    collector.extend(parts.map(|(part, _)| format!("`{part}`")));
    let signoz = missing(&SIGNOZ);
    match (&*collector, &*signoz) {
        ([], _) => {
            let is_map = columns.get("SpanAttributes").is_some_and(|kind| kind.starts_with("Map("));
            Ok(if is_map { Kind::Collector } else { Kind::CollectorJson })
        }
        (_, []) => Ok(Kind::Signoz),
        (collector, signoz) => {
            let nearer = if collector.len() <= signoz.len() { collector } else { signoz };
            Err(nearer.join(", "))
        }
    }
}

/// The database and the name of the table to ask.
fn choose(client: &Client<'_>, tables: &Tables, named: Option<&str>) -> Result<(String, String), QueryError> {
    let url = || client.shown().to_owned();
    let known: Vec<_> =
        tables.iter().filter(|(_, columns)| kind_of(columns).is_ok()).map(|(key, _)| key).collect();
    let listed = |tables: &[&(String, String)]| {
        const SHOWN: usize = 6;
        let names: Vec<_> =
            tables.iter().take(SHOWN).map(|(database, table)| format!("{database}.{table}")).collect();
        names.join(", ")
    };
    let elsewhere = match &*known {
        [] => "No database that this user may see has one: look whether the Collector's exporter creates it \
               (create_schema), or whether the user may read it (GRANT SELECT)"
            .to_owned(),
        known => {
            format!("There is {}: name its database in the URL, or the table with --table", listed(known))
        }
    };
    let database = client.database();
    if let Some(named) = named {
        let (of, table) = match named.split_once('.') {
            Some((of, table)) => (Some(of), table),
            None => (database, named),
        };
        let found: Vec<_> =
            tables.keys().filter(|(other, name)| name == table && of.is_none_or(|of| of == other)).collect();
        return match &*found {
            [one] => Ok((*one).clone()),
            [] => Err(QueryError::NoTable {
                url: url(),
                place: format!(" called `{table}` with a column of trace ids"),
                hint: elsewhere,
            }),
            several => Err(QueryError::NoTable {
                url: url(),
                place: format!(", for several are called `{table}`"),
                hint: format!("Write one of {} behind --table", listed(several)),
            }),
        };
    }
    let here: Vec<_> = known
        .iter()
        .copied()
        .filter(|(other, _)| database.is_none_or(|database| database == other))
        .collect();
    let place = |(_, table): &&(String, String)| NAMES.iter().position(|name| name == table);
    let first = here.iter().copied().filter_map(|table| Some((place(&table)?, table))).min();
    let rivals: Vec<_> = match first {
        Some((at, _)) => here.iter().copied().filter(|table| place(table) == Some(at)).collect(),
        None => here.clone(),
    };
    match (&*rivals, database) {
        ([one], _) => Ok((*one).clone()),
        ([], Some(database)) => {
            let names: BTreeSet<_> = tables.keys().map(|(database, _)| &**database).collect();
            if names.contains(database) || database_exists(client, database)? {
                let place = format!(" in `{database}`");
                return Err(QueryError::NoTable { url: url(), place, hint: elsewhere });
            }
            Err(QueryError::NoDatabase { url: url(), database: database.to_owned(), hint: elsewhere })
        }
        ([], None) => Err(QueryError::NoTable { url: url(), place: String::new(), hint: elsewhere }),
        (several, _) => Err(QueryError::NoTable {
            url: url(),
            place: ", for there are several".to_owned(),
            hint: format!("Write one of {} behind --table", listed(several)),
        }),
    }
}

fn database_exists(client: &Client<'_>, database: &str) -> Result<bool, QueryError> {
    let mut exists = false;
    let sql = format!("SELECT name FROM system.databases WHERE name IN {}", texts([database]));
    client.rows(&Question::new("which databases there are", sql), |(_,): (String,)| exists = true)?;
    Ok(exists)
}

/// The table that says when the traces of a table of spans were.
fn times(tables: &Tables, database: &str, table: &str, kind: Kind) -> Option<TraceTimes> {
    let candidates: &[(String, [&'static str; 3])] = &match kind {
        Kind::Collector | Kind::CollectorJson => {
            vec![(format!("{table}_trace_id_ts"), ["TraceId", "Start", "End"])]
        }
        Kind::Signoz => ["distributed_trace_summary", "trace_summary"]
            .map(|name| (name.to_owned(), ["trace_id", "start", "end"]))
            .to_vec(),
    };
    candidates.iter().find_map(|(name, columns)| {
        let found = tables.get(&(database.to_owned(), name.clone()))?;
        let [trace, start, end] = *columns;
        columns.iter().all(|column| found.contains_key(*column)).then(|| TraceTimes {
            table: name.clone(),
            trace,
            start,
            end,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Columns {
        names.iter().map(|name| ((*name).to_owned(), "Map(String, String)".to_owned())).collect()
    }

    #[test]
    fn a_table_is_known_by_its_columns() {
        let mut collector = columns(&COLLECTOR);
        assert_eq!(
            kind_of(&collector),
            Err("`Events.Name`, `Events.Attributes`, `Links.TraceId`, `Links.SpanId`".to_owned())
        );
        collector.extend(columns(&["Events", "Links"]));
        assert_eq!(kind_of(&collector), Ok(Kind::Collector));
        collector.insert("SpanAttributes".to_owned(), "JSON".to_owned());
        assert_eq!(kind_of(&collector), Ok(Kind::CollectorJson));
        assert_eq!(kind_of(&columns(&SIGNOZ)), Ok(Kind::Signoz));
        assert!(kind_of(&columns(&SIGNOZ[1..])).is_err_and(|lacks| lacks == "`ts_bucket_start`"));
    }

    #[test]
    fn the_times_of_traces_are_a_table_beside() {
        let of = |database: &str, table: &str, names: &[&str]| {
            ((database.to_owned(), table.to_owned()), columns(names))
        };
        let tables: Tables = [
            of("otel", "spans_trace_id_ts", &["TraceId", "Start", "End"]),
            of("otel", "otel_traces_trace_id_ts", &["TraceId", "Start"]),
            of("signoz_traces", "trace_summary", &["trace_id", "start", "end", "num_spans"]),
        ]
        .into();
        let named = |database: &str, table: &str, kind| {
            times(&tables, database, table, kind).map(|times| times.table)
        };
        assert_eq!(named("otel", "spans", Kind::Collector).as_deref(), Some("spans_trace_id_ts"));
        assert_eq!(named("otel", "otel_traces", Kind::Collector), None, "it has no end");
        assert_eq!(named("signoz_traces", "x", Kind::Signoz).as_deref(), Some("trace_summary"));
        assert_eq!(named("otel", "x", Kind::Signoz), None);
    }
}
