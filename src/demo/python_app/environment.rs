//! The environment of the Python application: made once in the user's cache, complete or
//! not at all, and usable offline from then on.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::assets;
use super::error::{EnvironmentError, ROOM};
use super::tools::{Outcome, SetupHalt, SetupListener, SetupStep, Tools};

/// Holds the path of the interpreter; written last.
const COMPLETE: &str = "complete";
/// Locked by the process that makes it.
const LOCK: &str = "lock";
/// Holds the path of the `redis-server` that was found.
const REDIS_SERVER: &str = "redis-server";
/// Names under which Python 3.10 or later may be found.
const PYTHONS: [&str; 7] =
    ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"];

/// An environment that is complete.
#[derive(Clone, Debug)]
pub struct Environment {
    folder: PathBuf,
    app: PathBuf,
    redis_server: Option<PathBuf>,
}

impl Environment {
    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The interpreter.
    pub fn python(&self) -> PathBuf {
        python(&self.folder)
    }

    /// The folder of the interpreter and of what packages bring to run.
    pub fn tools(&self) -> PathBuf {
        self.folder.join("venv/bin")
    }

    /// The folder of the application's files.
    pub fn app(&self) -> &Path {
        &self.app
    }

    /// The `redis-server`, where one was asked for.
    pub fn redis_server(&self) -> Option<&Path> {
        self.redis_server.as_deref()
    }
}

/// The environment in the cache folder. It is made if it is missing, and made again if it
/// is incomplete. With a `redis-server` if that is asked for. `None` if it was interrupted.
///
/// # Errors
///
/// [`EnvironmentError`], by what is missing.
pub fn prepare(
    cache: &Path,
    with_redis: bool,
    hear: &mut SetupListener<'_>,
) -> Result<Option<Environment>, EnvironmentError> {
    let folder = cache.join(assets::environment_name());
    let app = folder.join(assets::app_name());
    let cannot_write = |why| EnvironmentError::Folder { folder: folder.clone(), why };
    fs::create_dir_all(&folder).map_err(cannot_write)?;
    let mut tools = Tools::open(hear)?;
    let made = (|| {
        let lock = File::options().create(true).truncate(false).write(true).open(folder.join(LOCK));
        let lock = lock.map_err(cannot_write)?;
        // The lock ends when the file is closed, also if this process is killed.
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => tools.pause(SetupStep::Waiting)?,
                Err(TryLockError::Error(why)) => return Err(cannot_write(why).into()),
            }
        }
        if !app.is_dir() {
            assets::write(&app).map_err(cannot_write)?;
        }
        if !is_complete(&folder) {
            clear(&folder).map_err(cannot_write)?;
            let free = free(&folder).map_err(cannot_write)?;
            if free < ROOM {
                return Err(EnvironmentError::NoRoom { folder: folder.clone(), free }.into());
            }
            install(&folder, &app.join(assets::LOCK), &mut tools)?;
            let interpreter = fs::canonicalize(python(&folder)).map_err(cannot_write)?;
            fs::write(folder.join(COMPLETE), interpreter.as_os_str().as_encoded_bytes())
                .map_err(cannot_write)?;
        }
        let redis_server = if with_redis { Some(redis_server(&folder, &app, &mut tools)?) } else { None };
        Ok(Environment { folder: folder.clone(), app: app.clone(), redis_server })
    })();
    match made {
        Ok(environment) => Ok(Some(environment)),
        Err(SetupHalt::BrokenOff) => Ok(None),
        Err(SetupHalt::Error(error)) => Err(error),
    }
}

fn python(folder: &Path) -> PathBuf {
    folder.join("venv/bin/python")
}

/// Whether it is complete, and its interpreter still exists: packages of one Python do not
/// work with the next.
fn is_complete(folder: &Path) -> bool {
    let made_with = fs::read(folder.join(COMPLETE));
    let interpreter = fs::canonicalize(python(folder));
    matches!((made_with, interpreter), (Ok(made_with), Ok(interpreter))
        if made_with == interpreter.as_os_str().as_encoded_bytes())
}

/// Clears what an earlier attempt left.
fn clear(folder: &Path) -> io::Result<()> {
    let is_gone = |removed: io::Result<()>| match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    is_gone(fs::remove_file(folder.join(COMPLETE)))?;
    is_gone(fs::remove_file(folder.join(REDIS_SERVER)))?;
    is_gone(fs::remove_dir_all(folder.join("venv")))
}

/// How many bytes are free.
fn free(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn install(folder: &Path, lock: &Path, tools: &mut Tools<'_, '_>) -> Result<(), SetupHalt> {
    let venv = folder.join("venv");
    let mut of = packages();
    let mut number = 0;
    let mut read = |line: &str| {
        let of_pip = line.strip_prefix("Collecting ");
        if let Some(package) = of_pip.or_else(|| line.trim_start().strip_prefix("+ ")) {
            number += 1;
            let name = package.split(['=', ' ']).next().unwrap_or_default().to_owned();
            return Some(SetupStep::Package { name, number, of });
        }
        if line.starts_with("Ignoring ") {
            of = of.saturating_sub(1);
        }
        let is_got = line.starts_with("Installing collected") || line.starts_with("Prepared ");
        is_got.then_some(SetupStep::Installing)
    };

    if tools.run(tool("uv", &["--version"]), |_| None)?.is_some_and(|uv| uv.is_fine) {
        tools.tell(SetupStep::Begun { with: "uv".to_owned() })?;
        let mut make = tool("uv", &["venv", "--color", "never", "--no-progress", "--python", ">=3.10"]);
        make.arg(&venv);
        succeed("uv", tools.run(make, |_| None)?)?;
        let mut get = tool("uv", &["pip", "install", "--color", "never", "--no-progress", "--no-deps"]);
        get.args(["--compile-bytecode", "--python"]).arg(python(folder)).arg("-r").arg(lock);
        return succeed("uv", tools.run(get, read)?);
    }
    let found = find_python(tools)?;
    tools.tell(SetupStep::Begun { with: found.to_owned() })?;
    let mut make = tool(found, &["-m", "venv"]);
    make.arg(&venv);
    succeed(found, tools.run(make, |_| None)?)?;
    let quiet = ["--disable-pip-version-check", "--no-input", "--no-color", "--progress-bar", "off"];
    let mut get = tool(python(folder), &["-m", "pip", "install", "--no-deps"]);
    get.args(quiet).arg("-r").arg(lock).env("PYTHONUNBUFFERED", "1");
    succeed("pip", tools.run(get, &mut read)?)
}

/// How many packages the lock file names, including those for other Pythons.
fn packages() -> usize {
    let lock = assets::text(assets::LOCK).unwrap_or_default();
    lock.lines().filter(|line| line.contains("==")).count()
}

/// A tool without settings of the user's shell that would redirect it.
fn tool(program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).env("PIP_USER", "0");
    for name in ["PIP_TARGET", "PIP_PREFIX", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"] {
        command.env_remove(name);
    }
    command
}

fn succeed(tool: &str, outcome: Option<Outcome>) -> Result<(), SetupHalt> {
    match outcome {
        Some(Outcome { is_fine: true, .. }) => Ok(()),
        Some(Outcome { last_words, .. }) => {
            Err(EnvironmentError::Packages { tool: tool.to_owned(), why: reasons(&last_words) }.into())
        }
        None => {
            let why = "  it is not there any more".to_owned();
            Err(EnvironmentError::Packages { tool: tool.to_owned(), why }.into())
        }
    }
}

/// What went wrong, taken from a tool's last lines: without what it skipped, and with
/// repeated attempts only once.
fn reasons(last_words: &str) -> String {
    let is_retry = |line: &str| line.starts_with("WARNING: Retrying");
    let lines: Vec<_> = last_words.lines().filter(|line| !line.starts_with("Ignoring ")).collect();
    let last_retry = lines.iter().rposition(|line| is_retry(line));
    let told = lines.iter().enumerate().filter(|(place, line)| !is_retry(line) || Some(*place) == last_retry);
    told.map(|(_, line)| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// The first Python that is new enough and can make an environment.
fn find_python(tools: &mut Tools<'_, '_>) -> Result<&'static str, SetupHalt> {
    const ASK: &str = "import sys; print('%d.%d' % sys.version_info[:2]); import venv, ensurepip";
    let (mut old, mut without_venv) = (None, None);
    for name in PYTHONS {
        let mut version = None;
        let read = |line: &str| {
            version = version.or_else(|| parse_version(line));
            None
        };
        let Some(asked) = tools.run(tool(name, &["-c", ASK]), read)? else { continue };
        match version {
            Some(version) if version < (3, 10) => old = old.or(Some(version)),
            Some(_) if asked.is_fine => return Ok(name),
            Some(_) => without_venv = without_venv.or(Some(name)),
            None => {}
        }
    }
    if let Some(python) = without_venv {
        return Err(EnvironmentError::NoVenv { python: python.to_owned() }.into());
    }
    let found = old.map_or("none".to_owned(), |(major, minor)| format!("only {major}.{minor}"));
    Err(EnvironmentError::NoPython { found }.into())
}

fn parse_version(line: &str) -> Option<(u32, u32)> {
    let (major, minor) = line.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The path of a working `redis-server`: the one that was found before, or else what the
/// application's own script finds or installs.
fn redis_server(folder: &Path, app: &Path, tools: &mut Tools<'_, '_>) -> Result<PathBuf, SetupHalt> {
    let note = folder.join(REDIS_SERVER);
    if let Ok(known) = fs::read_to_string(&note)
        && Path::new(&known).is_file()
    {
        return Ok(known.into());
    }
    tools.tell(SetupStep::RedisServer)?;
    let mut find = tool(python(folder), &["redis_server.py"]);
    find.arg(folder.join("venv/bin")).current_dir(app);
    let Some(Outcome { is_fine, last_words }) = tools.run(find, |_| None)? else {
        return Err(EnvironmentError::NoRedis { why: "  its script cannot be run".to_owned() }.into());
    };
    let path = last_words.lines().last().map(PathBuf::from).filter(|path| is_fine && path.is_file());
    let Some(path) = path else { return Err(EnvironmentError::NoRedis { why: reasons(&last_words) }.into()) };
    fs::write(&note, path.as_os_str().as_encoded_bytes())
        .map_err(|why| EnvironmentError::Folder { folder: folder.to_owned(), why })?;
    Ok(path)
}
