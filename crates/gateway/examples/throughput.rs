//! How many signed `GetCallerIdentity` requests a second does the gateway answer on loopback, and how fast is one?
//!
//! `cargo run --release -p emu-gateway --example throughput [seconds] [connections]`

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use emu_cloud::Cloud;
use emu_core::{Clock, Ids, Journal, Settings};
use emu_gateway::{Gateway, Listener};

const FORM: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const KIND: &str = "application/x-www-form-urlencoded; charset=utf-8";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<u64>());
    let seconds = arguments.next().transpose()?.unwrap_or(3);
    let connections = arguments.next().transpose()?.unwrap_or(4);
    let runtime = tokio::runtime::Runtime::new()?;
    let _inside = runtime.enter();
    let clock = Clock::new();
    let journal = Journal::new(clock.clone(), 10_000);
    let cloud = Cloud::new(clock, journal, Settings::default(), Ids::random());
    let gateway = Gateway::start(Arc::clone(&cloud), vec![Listener::bind("127.0.0.1:0")?])?;
    let addr = gateway.addr().ok_or("no address")?;
    let request = signed(addr)?;
    let mut first = Client::connect(addr)?;
    first.ask(&request)?;
    println!(
        "first signed answer after {:.1} ms",
        start.elapsed().as_secs_f64() * 1e3
    );

    for n in [1, connections] {
        let until = Instant::now() + Duration::from_secs(seconds);
        let workers: Vec<_> = (0..n)
            .map(|_| {
                let request = request.clone();
                std::thread::spawn(move || -> std::io::Result<Vec<Duration>> {
                    let mut client = Client::connect(addr)?;
                    let mut times = Vec::new();
                    while Instant::now() < until {
                        let at = Instant::now();
                        client.ask(&request)?;
                        times.push(at.elapsed());
                    }
                    Ok(times)
                })
            })
            .collect();
        let mut times = Vec::new();
        for worker in workers {
            times.extend(worker.join().map_err(|_| "a client panicked")??);
        }
        times.sort_unstable();
        let at =
            |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
        println!(
            "{n} connections: {:.0} requests/s, median {:.0} µs, p99 {:.0} µs",
            times.len() as f64 / seconds as f64,
            at(0.5),
            at(0.99)
        );
    }
    Ok(())
}

fn signed(addr: SocketAddr) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let identity = Credentials::new("test", "test", None, None, "bench").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("sts")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?
        .into();
    let host = addr.to_string();
    let headers = [("host", host.as_str()), ("content-type", KIND)];
    let url = format!("http://{addr}/");
    let signable = SignableRequest::new(
        "POST",
        url,
        headers.into_iter(),
        SignableBody::Bytes(FORM.as_bytes()),
    )?;
    let instructions = sign(signable, &params)?.into_parts().0;
    let mut head = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: {KIND}\r\ncontent-length: {}\r\n",
        FORM.len()
    );
    for (name, value) in instructions.headers() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    Ok(format!("{head}\r\n{FORM}").into_bytes())
}

struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn connect(addr: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; 16 * 1024],
        })
    }

    fn ask(&mut self, request: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(request)?;
        let mut filled = 0;
        loop {
            let n = self.stream.read(&mut self.buffer[filled..])?;
            if n == 0 {
                return Err(std::io::Error::other("the connection ended"));
            }
            filled += n;
            if self.buffer[..filled].ends_with(b"</GetCallerIdentityResponse>\n") {
                break;
            }
        }
        if self.buffer.starts_with(b"HTTP/1.1 200") {
            return Ok(());
        }
        Err(std::io::Error::other(
            String::from_utf8_lossy(&self.buffer[..filled]).into_owned(),
        ))
    }
}
