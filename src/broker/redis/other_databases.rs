//! Finds the databases of a server that hold Celery's keys, for a user who named one that
//! holds none. Mostly the number in the URL differs from the one in Celery's
//! `broker_url`.

use super::connection::{Connection, KeyKind, ReadCommand, SCAN_STEP};
use super::url::BrokerUrl;
use crate::wire::celery::redis_layout::keys::{self, Key};

/// How many databases are searched, and how many steps a scan of each may take.
const DATABASES: usize = 16;
const STEPS: u64 = 100_000 / SCAN_STEP;

/// The other databases that have kombu's bindings. A database that cannot be read, or not
/// in time, is left out.
pub fn other_databases(url: &BrokerUrl, connection: &mut Connection) -> Vec<u32> {
    let Ok(Some(keyspace)) = connection.ask::<Option<Vec<u8>>>(&ReadCommand::Keyspace) else {
        return Vec::new();
    };
    let keyspace = String::from_utf8_lossy(&keyspace);
    let others = databases(&keyspace).filter(|db| *db != url.database());
    others.take(DATABASES).filter(|db| holds_bindings(&url.with_database(*db))).collect()
}

/// The databases that hold keys: lines such as `db1:keys=3,expires=0,avg_ttl=0`.
fn databases(keyspace: &str) -> impl Iterator<Item = u32> {
    keyspace.lines().filter_map(|line| line.strip_prefix("db")?.split_once(':')?.0.parse().ok())
}

fn holds_bindings(url: &BrokerUrl) -> bool {
    let Ok(mut connection) = Connection::open(url) else { return false };
    let mut cursor = 0;
    for _ in 0..STEPS {
        let command = ReadCommand::Scan { cursor, kind: KeyKind::Set };
        let Ok((next, names)) = connection.ask::<(u64, Vec<Vec<u8>>)>(&command) else { return false };
        let is_binding = |name: &Vec<u8>| {
            let name = String::from_utf8_lossy(name);
            matches!(keys::classify(&name), Key::Binding { .. } | Key::Workers)
        };
        if names.iter().any(is_binding) {
            return true;
        }
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keyspace_names_its_databases() {
        let told =
            "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\ndb12:keys=3,expires=0,avg_ttl=0\r\ndbx:1\r\n";
        assert_eq!(databases(told).collect::<Vec<_>>(), [0, 12]);
    }
}
