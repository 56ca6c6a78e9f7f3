//! Keeps what a receiver and a broker show of a play, in a bundle folder, as
//! `tracelink diagnose` reads it.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracelink::broker::redis::{BrokerUrl, Connection, ReadPlan, discover, read, read_results};
use tracelink::demo::OtlpEndpoints;
use tracelink::evidence::Outcome;
use tracelink::receiver::{
    Budget, Ended, Inbox, Ports, Receipt, Receiver, ReceiverLimits, Request, Signal, Taken,
};
use tracelink::wire::snapshot::{Head, Rewrite, write_head, write_key};

/// An inbox that writes each body to a file.
struct Recorder {
    folder: PathBuf,
    requests: AtomicUsize,
    log: Mutex<File>,
}

impl Inbox for Recorder {
    fn take<'i>(&'i self, request: &'i Request<'i>) -> Taken<'i> {
        if request.signal == Signal::Traces {
            let number = self.requests.fetch_add(1, Ordering::Relaxed);
            fs::write(self.folder.join(format!("spans.{number:04}.binpb")), request.body).expect("writable");
        }
        Box::pin(std::future::ready(Ok(Receipt::default())))
    }

    fn ended(&self, ended: &Ended<'_>) {
        if ended.outcome != Outcome::Accepted {
            let line = serde_json::json!({
                "outcome": ended.outcome.label(), "agent": ended.agent, "target": ended.target,
            });
            writeln!(self.log.lock().expect("no test panics in here"), "{line}").expect("writable");
        }
    }
}

pub struct Bundle {
    pub folder: PathBuf,
    receiver: Receiver,
    looks: usize,
}

impl Bundle {
    pub fn open(folder: &Path) -> Self {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).expect("writable");
        let log = Mutex::new(File::create(folder.join("receiver.jsonl")).expect("writable"));
        let recorder = Recorder { folder: folder.to_owned(), requests: AtomicUsize::new(0), log };
        let any = Some("127.0.0.1:0".parse().expect("an address"));
        let ports = Ports { grpc: any, http: any, both: None };
        let limits = ReceiverLimits::new(Arc::new(Budget::new(256 << 20)), 32 << 20);
        let receiver = Receiver::open(&ports, Arc::new(recorder), limits).expect("a port is free");
        Self { folder: folder.to_owned(), receiver, looks: 0 }
    }

    pub fn otlp(&self) -> OtlpEndpoints {
        let url = |address: Option<std::net::SocketAddr>| format!("http://{}", address.expect("it is open"));
        let addresses = self.receiver.addresses();
        OtlpEndpoints { grpc: url(addresses.grpc), http: url(addresses.http) }
    }

    /// Looks at the whole broker, and at the results of the tasks.
    pub fn look<'t>(&mut self, broker: &str, tasks: impl Iterator<Item = &'t str>) {
        let url = BrokerUrl::parse(broker).expect("a URL");
        let mut connection = Connection::open(&url).expect("the broker answers");
        let go_on = |_, _| ControlFlow::Continue(());
        let Ok(discovery) = discover(&mut connection, &[], &mut go_on.clone()) else { return };
        self.looks += 1;
        let file =
            File::create(self.folder.join(format!("redis.{:04}.jsonl", self.looks))).expect("writable");
        let mut out = BufWriter::new(file);
        write_head(
            &mut out,
            &Head { captured_at: discovery.at, stage: None, broker: None, complete: discovery.complete },
        )
        .expect("writable");
        for binding in &discovery.bindings {
            write_key(&mut out, binding, &Rewrite::NONE).expect("writable");
        }
        let plan = ReadPlan {
            queues: discovery.lists.iter().map(|list| vec![list.clone()]).collect(),
            held: discovery.held.clone(),
            held_since: discovery.held_since.clone(),
            limit: None,
            all_held: false,
        };
        read(&mut connection, &plan, &mut |page| {
            write_key(&mut out, &page, &Rewrite::NONE).expect("writable");
            ControlFlow::Continue(())
        })
        .expect("the broker answers");
        read_results(&mut connection, "", tasks, &mut |result| {
            write_key(&mut out, &result, &Rewrite::NONE).expect("writable");
            ControlFlow::Continue(())
        })
        .expect("the broker answers");
    }

    /// Ends the receiver, so that nothing is written any more.
    pub fn close(self) -> PathBuf {
        self.receiver.close(Duration::from_secs(1));
        let empty = fs::metadata(self.folder.join("receiver.jsonl")).is_ok_and(|file| file.len() == 0);
        if empty {
            fs::remove_file(self.folder.join("receiver.jsonl")).expect("ours");
        }
        self.folder
    }
}
