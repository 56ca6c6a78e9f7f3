//! Opens a connection: TCP, TLS, a Unix socket, or the master that Sentinel names.

use std::path::Path;
use std::time::Duration;

use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo,
    TlsCertificates, Value, cmd,
};

use crate::broker::error::BrokerError;
use crate::broker::url::{Address, BrokerUrl, Host, Login, PeerCheck, Tls};

/// How long a host may take to accept a connection.
pub const CONNECT: Duration = Duration::from_secs(5);
/// How long a server may take to return the greeting of TLS. A Redis without TLS
/// never does: it waits for the end of a line.
const GREETING: Duration = Duration::from_secs(5);
/// How long an answer may take: Redis is single-threaded, and a slow command of
/// another client holds up ours.
pub const ANSWER: Duration = Duration::from_secs(30);

/// Connects to what the URL names, logs in and selects the database.
pub fn dial(url: &BrokerUrl) -> Result<redis::Connection, BrokerError> {
    let shown = url.to_string();
    let address = match &url.address {
        Address::Tcp(host) => tcp(host, url.tls.as_ref()),
        Address::Unix(path) => ConnectionAddr::Unix(path.clone()),
        Address::Sentinels { sentinels, master, login } => {
            let master = master.as_deref().ok_or(BrokerError::MasterUnnamed)?;
            tcp(&find_master(sentinels, master, login)?, url.tls.as_ref())
        }
    };
    let mut connection = connect(address, url.tls.as_ref(), &shown)?;
    log_in(&mut connection, &url.login, &shown)?;
    if url.db != 0 {
        say(&mut connection, "SELECT", &[&url.db.to_string()], &shown)?;
    }
    Ok(connection)
}

fn tcp(host: &Host, tls: Option<&Tls>) -> ConnectionAddr {
    let name = this_machine(&host.name).to_owned();
    match tls {
        None => ConnectionAddr::Tcp(name, host.port),
        Some(tls) => ConnectionAddr::TcpTls {
            host: name,
            port: host.port,
            insecure: tls.check == PeerCheck::Nothing,
            tls_params: None,
        },
    }
}

/// A server's "any address" is taken for this machine, as Python's socket does;
/// the driver refuses it.
pub fn this_machine(name: &str) -> &str {
    match name {
        "0.0.0.0" => "127.0.0.1",
        "::" => "::1",
        name => name,
    }
}

fn connect(
    address: ConnectionAddr,
    tls: Option<&Tls>,
    shown: &str,
) -> Result<redis::Connection, BrokerError> {
    let is_tls = matches!(address, ConnectionAddr::TcpTls { .. });
    let failed = |error| BrokerError::unreachable(shown, &error);
    // The driver would greet with `CLIENT SETINFO`, and lose what `AUTH` is answered.
    let silent = RedisConnectionInfo::default().set_skip_set_lib_name();
    let info = address.into_connection_info().map_err(failed)?.set_redis_settings(silent);
    let client = match tls {
        Some(tls) if is_tls => tls_client(info, tls, shown)?,
        _ => Client::open(info).map_err(failed)?,
    };
    let connection = client.get_connection_with_timeout(CONNECT).map_err(failed)?;
    let patience = if is_tls { GREETING } else { ANSWER };
    connection.set_read_timeout(Some(patience)).map_err(failed)?;
    connection.set_write_timeout(Some(ANSWER)).map_err(failed)?;
    Ok(connection)
}

/// Gives a server that has greeted all the time that an answer may take.
pub fn trust(connection: &redis::Connection, shown: &str) -> Result<(), BrokerError> {
    let set = connection.set_read_timeout(Some(ANSWER));
    set.map_err(|error| BrokerError::unreachable(shown, &error))
}

fn tls_client(info: ConnectionInfo, tls: &Tls, shown: &str) -> Result<Client, BrokerError> {
    // rustls asks for one choice of cryptography in a process. Where there is
    // one already, it is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();

    let read = |path: &Path| {
        std::fs::read(path).map_err(|source| BrokerError::File { path: path.to_owned(), source })
    };
    let root_cert = tls.authorities.as_deref().map(read).transpose()?;
    let client_tls = match &tls.client {
        Some((certificate, key)) => {
            Some(ClientTlsConfig { client_cert: read(certificate)?, client_key: read(key)? })
        }
        None => None,
    };
    let failed = |error| BrokerError::tls(shown, &error);
    let client = Client::build_with_tls(info, TlsCertificates { client_tls, root_cert }).map_err(failed)?;
    if tls.check != PeerCheck::Chain {
        return Ok(client);
    }
    let info = client.get_connection_info().clone();
    let mut address = info.addr().clone();
    address.set_danger_accept_invalid_hostnames(true);
    Client::open(info.set_addr(address)).map_err(failed)
}

fn log_in(connection: &mut redis::Connection, login: &Login, shown: &str) -> Result<(), BrokerError> {
    let answer = match (&login.user, &login.password) {
        (Some(user), Some(password)) => say(connection, "AUTH", &[user, password], shown),
        (None, Some(password)) => say(connection, "AUTH", &[password], shown),
        (_, None) => return Ok(()),
    };
    answer.map(drop)
}

/// Asks one sentinel after the other where the master is, as redis-py does:
/// <https://redis.io/docs/latest/develop/reference/sentinel-clients/>.
pub fn find_master(sentinels: &[Host], master: &str, login: &Login) -> Result<Host, BrokerError> {
    let mut failure = None;
    let mut is_unknown = false;
    for sentinel in sentinels {
        match ask_sentinel(sentinel, master, login) {
            Ok(Some(host)) => return Ok(host),
            Ok(None) => is_unknown = true,
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if !is_unknown => Err(error),
        _ => Err(BrokerError::MasterUnknown {
            master: master.escape_debug().to_string(),
            sentinels: sentinels.iter().map(Host::to_string).collect::<Vec<_>>().join(", "),
        }),
    }
}

fn ask_sentinel(sentinel: &Host, master: &str, login: &Login) -> Result<Option<Host>, BrokerError> {
    let shown = format!("sentinel://{login}{sentinel}");
    let mut connection = connect(tcp(sentinel, None), None, &shown)?;
    log_in(&mut connection, login, &shown)?;
    let question = ["GET-MASTER-ADDR-BY-NAME", master];
    let answer = say(&mut connection, "SENTINEL", &question, &shown)?;
    let address: Option<(String, u16)> = redis::from_redis_value(answer)
        .map_err(|_| BrokerError::Unreadable { broker: shown, command: "SENTINEL" })?;
    Ok(address.map(|(name, port)| Host { name, port }))
}

/// Says one of the commands that go before any reading.
fn say(
    connection: &mut redis::Connection,
    command: &'static str,
    arguments: &[&str],
    shown: &str,
) -> Result<Value, BrokerError> {
    let answer = connection
        .send_packed_command(&cmd(command).arg(arguments).get_packed_command())
        .and_then(|()| connection.recv_response())
        .map_err(|error| BrokerError::lost(shown, command, &error))?;
    match answer {
        Value::ServerError(error) => Err(BrokerError::refused(shown, command, None, "", &error)),
        value => Ok(value),
    }
}
