//! The whole node under a clock that jumps.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use emu_cluster::{
    kubernetes::pod::exec,
    node::{Node, launch::Virtual},
};
use emu_vtime::Group;

use crate::{
    Outcome, block_on, config,
    lifecycle::{pod, run, self_image},
};

const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

async fn say(node: &Node, words: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let command: Vec<String> = [&["/self", "role"], words]
        .concat()
        .iter()
        .map(|w| (*w).to_owned())
        .collect();
    let output = exec(&node.client(), "default", "first", None, &command, None).await?;
    Ok(String::from_utf8(output.stdout)?)
}

pub(crate) fn a_jump_rotates_the_token() -> Outcome {
    if let Err(why) = emu_vtime::supported() {
        eprintln!("skipped: {why}");
        return Ok(());
    }
    block_on(async {
        let root = tempfile::tempdir()?;
        let group = Arc::new(Group::new()?);
        let mut config = config()?;
        let archive = root.path().join("self.tar");
        self_image(&archive)?;
        config.run_root = root.path().to_owned();
        config.images.push(archive);
        config.launcher = Arc::new(Virtual(Arc::clone(&group)));
        let node = Node::start(config).await?;
        for (mark, time) in node.timings().marks() {
            println!("{mark:12} {:.2} s", time.as_secs_f64());
        }
        run(&node, &pod("first", &["sleep"])?).await?;
        let before = say(&node, &["cat", TOKEN]).await?;
        let hours = Duration::from_secs(2 * 3600);
        let moving = Arc::clone(&group);
        let report = tokio::task::spawn_blocking(move || moving.jump(hours)).await??;
        println!("jump         {report:?}");
        let began = Instant::now();
        let after = loop {
            let now = say(&node, &["cat", TOKEN]).await?;
            if now != before || began.elapsed() > Duration::from_secs(60) {
                break now;
            }
        };
        println!("new token    {:.2} s", began.elapsed().as_secs_f64());
        let inside: u64 = say(&node, &["now"]).await?.trim().parse()?;
        let outside = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        if after == before || inside.abs_diff(outside + hours.as_secs()) > 60 {
            return Err(format!("inside it is {inside}, outside {outside}").into());
        }
        node.ready(Duration::from_secs(90)).await?;
        println!("ready again  {:.2} s", began.elapsed().as_secs_f64());
        println!("teardown     {:.2} s", node.stop().await?.as_secs_f64());
        Ok(())
    })?
}
