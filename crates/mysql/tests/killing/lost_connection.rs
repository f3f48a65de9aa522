//! A connection that is lost during a batch of kills: each victim gets its own outcome.

use clew_diagnose::ProtectedAccounts;
use clew_model::{Failure, FailureKind};
use clew_mysql::{KillOptions, KillOutcome, KillTarget, Victim, kill_victims};
use clew_testkit::Flavor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{LONG, busy_session, connector, find_session, list_read, server};

/// Starts a proxy that closes the connection at its second `KILL`.
async fn proxy_that_passes_one_kill(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(async move {
                let (mut kills, mut requests, mut responses) = (0, vec![0; 1 << 16], vec![0; 1 << 16]);
                loop {
                    tokio::select! {
                        Ok(count @ 1..) = client.read(&mut requests) => {
                            kills += requests[..count].windows(5).filter(|window| window == b"KILL ").count();
                            if kills > 1 || server.write_all(&requests[..count]).await.is_err() {
                                return;
                            }
                        }
                        Ok(count @ 1..) = server.read(&mut responses) => {
                            if client.write_all(&responses[..count]).await.is_err() {
                                return;
                            }
                        }
                        else => return,
                    }
                }
            });
        }
    });
    own
}

#[tokio::test]
async fn each_victim_has_an_outcome_after_a_lost_connection() {
    for flavor in Flavor::ALL {
        let server = server(flavor).await;
        let node = format!("mysql://root@127.0.0.1:{}/?tls=off", proxy_that_passes_one_kill(server.port()).await)
            .parse()
            .unwrap();
        let (mut first, a) = busy_session(&server, "app", LONG).await;
        let (_second, b) = busy_session(&server, "app", LONG).await;
        let (_third, c) = busy_session(&server, "app", LONG).await;
        let read = list_read(&server).await;
        let victims = [&a, &b, &c].map(|session| Victim::for_session(session, &read));
        let protected = ProtectedAccounts::default();
        let outcomes =
            kill_victims(&node, &victims, KillOptions::new(KillTarget::Connection, &protected), &connector())
                .await
                .unwrap();
        let lost = |failure: &Failure| failure.kind == FailureKind::ConnectionLost;
        let [(_, KillOutcome::Ending(_)), (_, KillOutcome::Failed(second)), (_, KillOutcome::Failed(third))] =
            outcomes.as_slice()
        else {
            panic!("{flavor}: {outcomes:?}")
        };
        assert!(lost(second) && second.detail.contains("may still execute it"), "{flavor}: {second}");
        assert!(lost(third) && !third.detail.contains("may still execute it"), "{flavor}: {third}");
        let _ = first.wait_for_response().await;
        first.execute("DO 1").await.unwrap_err();
        for one in [&b, &c] {
            assert_eq!(find_session(&server, one.id).await.unwrap().statement, one.statement, "{flavor}");
        }
    }
}
