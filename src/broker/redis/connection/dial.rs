//! Opens a connection: over TCP, TLS or a Unix socket, or to the master that Sentinel
//! names.

use std::sync::Arc;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use super::command::pack;
use super::raw::RawConnection;
use super::reply::{FromReply, Reply};
use super::socket::{Socket, this_machine};
use super::stream::Stream;
use super::timeout::{ANSWER, GREETING};
use super::tls;
use crate::broker::redis::error::BrokerError;
use crate::broker::redis::url::{Address, BrokerUrl, Host, Login, Tls};

/// Connects to what the URL names, logs in and selects the database.
pub fn dial(url: &BrokerUrl) -> Result<RawConnection, BrokerError> {
    let shown = url.to_string();
    let failed = |error| BrokerError::unreachable(&shown, &error);
    let mut raw = match &url.address {
        Address::Tcp(host) => connect(host, url.tls.as_ref(), &shown)?,
        Address::Unix(path) => RawConnection::over(
            Socket::unix(path).and_then(|socket| Stream::plain(socket, ANSWER)).map_err(failed)?,
        ),
        Address::Sentinels { sentinels, master, login } => {
            let master = master.as_deref().ok_or(BrokerError::MasterUnnamed)?;
            connect(&find_master(sentinels, master, login)?, url.tls.as_ref(), &shown)?
        }
    };
    log_in(&mut raw, &url.login, &shown)?;
    if url.db != 0 {
        say(&mut raw, "SELECT", &[&url.db.to_string()], &shown)?;
    }
    Ok(raw)
}

fn connect(host: &Host, tls: Option<&Tls>, shown: &str) -> Result<RawConnection, BrokerError> {
    let failed = |error| BrokerError::unreachable(shown, &error);
    let Some(tls) = tls else {
        let stream = Socket::tcp(host).and_then(|socket| Stream::plain(socket, ANSWER));
        return stream.map(RawConnection::over).map_err(failed);
    };
    let config = tls::config(tls, shown)?;
    let name = ServerName::try_from(this_machine(&host.name).to_owned());
    let name = name.map_err(|error| BrokerError::tls(shown, &error.to_string()))?;
    let client = ClientConnection::new(Arc::new(config), name);
    let client = client.map_err(|error| BrokerError::tls(shown, &error.to_string()))?;
    let stream = Socket::tcp(host).and_then(|socket| Stream::tls(socket, client, GREETING));
    stream.map(RawConnection::over).map_err(failed)
}

fn log_in(connection: &mut RawConnection, login: &Login, shown: &str) -> Result<(), BrokerError> {
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
    let mut connection = connect(sentinel, None, &shown)?;
    log_in(&mut connection, login, &shown)?;
    let question = ["GET-MASTER-ADDR-BY-NAME", master];
    let answer = say(&mut connection, "SENTINEL", &question, &shown)?;
    let unreadable = || BrokerError::Unreadable { broker: shown.clone(), command: "SENTINEL" };
    let Some((name, port)) = Option::<(Vec<u8>, u64)>::of(answer).ok_or_else(unreadable)? else {
        return Ok(None);
    };
    let name = String::from_utf8(name).map_err(|_| unreadable())?;
    let port = u16::try_from(port).map_err(|_| unreadable())?;
    Ok(Some(Host { name, port }))
}

/// Sends one of the commands that come before any reading.
fn say(
    connection: &mut RawConnection,
    command: &'static str,
    arguments: &[&str],
    shown: &str,
) -> Result<Reply, BrokerError> {
    let mut packed = Vec::new();
    pack(&[&[command], arguments].concat(), &mut packed);
    let reply = connection.write(&packed).and_then(|()| connection.read());
    match reply.map_err(|error| BrokerError::no_reply(shown, command, error))? {
        Reply::Error(error) => Err(BrokerError::refused(shown, command, None, "", &error)),
        reply => Ok(reply),
    }
}
