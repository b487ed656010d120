//! How long `emu up` takes from exec to its first answered, signed request, and how much memory it then holds.
//! Prints the least, the middle and the most of ten starts.

use std::{
    env,
    error::Error,
    fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};

const ROUNDS: usize = 10;
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const DEADLINE: Duration = Duration::from_secs(20);

fn main() -> Result<(), Box<dyn Error>> {
    let emu = match env::var_os("EMU_BIN") {
        Some(named) => named.into(),
        None => emu_tests::binary()?,
    };
    let mut millis = Vec::new();
    let mut kibibytes = Vec::new();
    for _ in 0..ROUNDS {
        let (took, held) = round(&emu)?;
        millis.push(took.as_secs_f64() * 1e3);
        kibibytes.push(held);
    }
    millis.sort_by(f64::total_cmp);
    kibibytes.sort_unstable();
    println!(
        "first signed request answered after   {:.1} / {:.1} / {:.1} ms (least, middle, most of {ROUNDS})   bound 50 ms",
        millis[0],
        millis[ROUNDS / 2],
        millis[ROUNDS - 1]
    );
    let mebibytes = |k: u64| k as f64 / 1024.0;
    println!(
        "idle memory (resident)                {:.1} / {:.1} / {:.1} MiB                                       bound 25 MiB",
        mebibytes(kibibytes[0]),
        mebibytes(kibibytes[ROUNDS / 2]),
        mebibytes(kibibytes[ROUNDS - 1])
    );
    Ok(())
}

/// One start: until the first answer, and the resident KiB at rest afterwards.
fn round(emu: &Path) -> Result<(Duration, u64), Box<dyn Error>> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = free.local_addr()?;
    drop(free);
    let request = request(address)?;
    let begun = Instant::now();
    let mut child = Ended(
        Command::new(emu)
            .args(["up", "--addr", &address.to_string()])
            .stdout(Stdio::null())
            .spawn()?,
    );
    let took = loop {
        match ask(address, &request) {
            Ok(answer) if answer.starts_with("HTTP/1.1 200") => break begun.elapsed(),
            _ if begun.elapsed() > DEADLINE => return Err("no answer in time".into()),
            _ => std::thread::yield_now(),
        }
        if let Some(status) = child.0.try_wait()? {
            return Err(format!("`emu up` ended: {status}").into());
        }
    };
    // At rest is when its threads no longer use the processor.
    let used = |pid| -> io::Result<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Ok(stat.split(' ').skip(13).take(2).collect())
    };
    let pid = child.0.id();
    let mut before = used(pid)?;
    loop {
        std::thread::park_timeout(Duration::from_millis(200));
        let now = used(pid)?;
        if now == before {
            break;
        }
        before = now;
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .ok_or("no VmRSS")?
        .parse()?;
    Command::new("kill")
        .args(["-INT", &pid.to_string()])
        .status()?;
    child.0.wait()?;
    Ok((took, resident))
}

fn request(address: SocketAddr) -> Result<Vec<u8>, Box<dyn Error>> {
    let identity = Credentials::from_keys("test", "test", None).into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("sts")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?
        .into();
    let host = address.to_string();
    let headers = [
        ("host", host.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let signable = SignableRequest::new(
        "POST",
        format!("http://{host}/"),
        headers.into_iter(),
        SignableBody::Bytes(BODY.as_bytes()),
    )?;
    let (instructions, _) = sign(signable, &parameters)?.into_parts();
    let mut text = String::from("POST / HTTP/1.1\r\nconnection: close\r\n");
    let signed: Vec<(&str, &str)> = instructions.headers().collect();
    for (name, value) in headers.into_iter().chain(signed) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{BODY}", BODY.len()));
    Ok(text.into_bytes())
}

fn ask(address: SocketAddr, request: &[u8]) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A child that does not outlive an error.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
