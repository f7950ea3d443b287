//! Brokers that follow a script, for what a real one cannot be made to say.

use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::*;

/// The broker lets in: CONNACK in version 5 and 3.1.1.
const WELCOME: &[u8] = &[0x20, 3, 0, 0, 0];
const OLD_WELCOME: &[u8] = &[0x20, 2, 0, 0];
const LIMIT: Duration = Duration::from_secs(10);

fn options(port: u16) -> Options {
    Options {
        url: format!("mqtt://127.0.0.1:{port}").parse().unwrap(),
        tls: None,
        version: None,
        client_id: "test".to_owned(),
        username: None,
        password: None,
        will: None,
        keep_alive: Duration::from_secs(30),
        patience: Duration::from_secs(2),
        longest: 4096,
    }
}

/// Takes one packet of a client.
async fn packet(client: &mut TcpStream) -> Vec<u8> {
    let mut header = [0; 2];
    client.read_exact(&mut header).await.unwrap();
    assert!(header[1] < 128, "the tests send no long packets");
    let mut packet = header.to_vec();
    packet.resize(2 + usize::from(header[1]), 0);
    client.read_exact(&mut packet[2..]).await.unwrap();
    packet
}

/// A broker that lets in, and then does what the script says.
async fn broker<F>(
    script: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> Result<Connection, Fault>
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = options(listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        packet(&mut client).await;
        client.write_all(WELCOME).await.unwrap();
        script(client).await;
    });
    Connection::open(&options).await
}

fn message() -> Publication {
    Publication {
        topic: "topic".to_owned(),
        payload: b"payload".to_vec(),
        retain: false,
        acknowledged: true,
    }
}

#[tokio::test]
async fn a_broker_that_knows_only_the_old_version_is_spoken_to_in_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for (level, answer) in [(5, &[0x20, 2, 0, 1][..]), (4, OLD_WELCOME)] {
            let (mut client, _) = listener.accept().await.unwrap();
            let connect = packet(&mut client).await;
            assert_eq!(connect[8], level);
            client.write_all(answer).await.unwrap();
            if level == 4 {
                let _ = client.read(&mut [0; 64]).await;
            }
        }
    });
    let connection = Connection::open(&options(port)).await.unwrap();
    assert_eq!(connection.version(), Version::V3);
}

#[tokio::test]
async fn each_reason_is_told_and_sorted() {
    for (code, lasts) in [(0x85, true), (0x86, true), (0x88, false), (0x97, false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let options = options(listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            packet(&mut client).await;
            client.write_all(&[0x20, 3, 0, code, 0]).await.unwrap();
        });
        let fault = Connection::open(&options).await.err().unwrap();
        assert!(
            matches!(fault, Fault::Login(Reason(told)) if told == code),
            "{fault}"
        );
        assert_eq!(fault.lasts(), lasts, "{fault}");
    }
    let mut connection = broker(async |mut client| {
        // DISCONNECT, session taken over.
        client.write_all(&[0xe0, 2, 0x8e, 0]).await.unwrap();
    })
    .await
    .unwrap();
    let fault = connection.next().await.unwrap_err();
    assert_eq!(
        fault.to_string(),
        "it ended the connection: session taken over (0x8e); another client uses the same client_id: \
         give each its own"
    );
    assert!(fault.lasts());
}

#[tokio::test]
async fn acknowledgements_name_their_messages_in_any_order() {
    let mut connection = broker(async |mut client| {
        let mut ids = Vec::new();
        for _ in 0..2 {
            let publish = packet(&mut client).await;
            assert_eq!(publish[0], 0x32);
            ids.push([publish[9], publish[10]]);
        }
        // The second is over a quota, the first has no subscriber.
        for ([high, low], code) in ids.into_iter().rev().zip([0x97, 0x10]) {
            client.write_all(&[0x40, 3, high, low, code]).await.unwrap();
        }
        let _ = client.read(&mut [0; 64]).await;
    })
    .await
    .unwrap();
    let room = connection.room();
    let first = connection.publish(message()).unwrap().unwrap();
    let second = connection.publish(message()).unwrap().unwrap();
    assert_eq!(connection.room(), room - 2);
    let heard = |id, code| Heard::Acknowledged {
        id,
        reason: Reason(code),
    };
    assert_eq!(connection.next().await.unwrap(), heard(second, 0x97));
    assert_eq!(connection.next().await.unwrap(), heard(first, 0x10));
    assert_eq!(connection.room(), room);
}

/// The protocol frees a number when its acknowledgement is read, not when somebody hears of it.
#[tokio::test]
async fn no_message_gets_the_number_of_one_whose_acknowledgement_was_not_heard() {
    let mut connection = broker(async |mut client| {
        let mut acknowledgements = Vec::new();
        for _ in 0..2 {
            let publish = packet(&mut client).await;
            acknowledgements.extend([0x40, 2, publish[9], publish[10]]);
        }
        client.write_all(&acknowledgements).await.unwrap();
        let _ = client.read(&mut [0; 64]).await;
    })
    .await
    .unwrap();
    let room = connection.room();
    for _ in 0..2 {
        connection.publish(message()).unwrap();
    }
    connection.next().await.unwrap();
    assert_eq!(connection.room(), 0);
    connection.next().await.unwrap();
    assert_eq!(connection.room(), room);
}

#[tokio::test]
async fn a_broker_is_pinged_and_given_up_when_it_is_silent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = options(listener.local_addr().unwrap().port());
    options.keep_alive = Duration::from_secs(1);
    options.patience = Duration::from_secs(1);
    let pings = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        packet(&mut client).await;
        client.write_all(WELCOME).await.unwrap();
        assert_eq!(packet(&mut client).await, [0xc0, 0]);
        client.write_all(&[0xd0, 0]).await.unwrap();
        assert_eq!(packet(&mut client).await, [0xc0, 0]);
        // No answer this time.
        let _ = client.read(&mut [0; 64]).await;
    });
    let mut connection = Connection::open(&options).await.unwrap();
    let fault = timeout(LIMIT, connection.next())
        .await
        .unwrap()
        .unwrap_err();
    assert!(matches!(fault, Fault::TimedOut { .. }), "{fault}");
    drop(connection);
    pings.await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// It hangs up and says so, whatever a broker sends: no panic, no more memory than was allowed.
    #[test]
    fn nothing_that_a_broker_says_does_harm(
        welcome: bool,
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        kind in 0_u8..16,
    ) {
        Runtime::new().unwrap().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let options = options(listener.local_addr().unwrap().port());
            tokio::spawn(async move {
                let (mut client, _) = listener.accept().await.unwrap();
                packet(&mut client).await;
                let mut said = if welcome { WELCOME.to_vec() } else { Vec::new() };
                // A packet whose length is right gets deeper than noise.
                said.extend([kind << 4, u8::try_from(bytes.len()).unwrap()]);
                said.extend(bytes);
                let _ = client.write_all(&said).await;
            });
            let talking = async {
                let mut connection = Connection::open(&options).await?;
                let _ = connection.publish(message());
                loop {
                    connection.next().await?;
                }
            };
            let ended: Result<Result<(), Fault>, _> = timeout(LIMIT, talking).await;
            prop_assert!(ended.is_ok_and(|ended| ended.is_err()));
            Ok(())
        })?;
    }
}
