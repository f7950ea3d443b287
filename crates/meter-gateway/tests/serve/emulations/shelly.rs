//! Shelly's RPC, by HTTP and by UDP.

use std::net::SocketAddr;

use http_body_util::Full;
use hyper::Request;
use meter_sim::MeterConfig;
use serde_json::{Value, json};
use sml_wire::Obis;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{ALL, Read};
use crate::bench::{Head, Program, Result};
use crate::client::{self, Answer, HTTP, get, send};

/// The power with the thousandth that makes it no whole number.
fn fractional(power: &str) -> String {
    let value: f64 = power.parse().unwrap();
    if value.fract() != 0.0 {
        return power.to_owned();
    }
    let whole: i64 = power.split('.').next().unwrap().parse().unwrap();
    let milli = whole * 1000 + 1;
    let sign = if milli < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", milli.abs() / 1000, milli.abs() % 1000)
}

async fn rpc(address: SocketAddr, path: &str, request: &Value) -> Result<Answer> {
    let body = Full::from(request.to_string());
    send(address, Request::post(path).body(body)?).await
}

#[tokio::test]
async fn a_shelly_pro_3em_answers_by_http() -> Result {
    let read = Read::new(ALL).await?;
    let address = read.address;
    let info = get(address, "/shelly").await?;
    let shelly = info.json()?;
    let id = shelly["id"].as_str().unwrap().to_owned();
    let mac = shelly["mac"].as_str().unwrap();
    assert_eq!(id, format!("shellypro3em-{}", mac.to_lowercase()));
    assert!(mac.starts_with("02") && mac.len() == 12, "{mac}");
    assert_eq!(
        info.body,
        format!(
            "{{\"name\":null,\"id\":\"{id}\",\"mac\":\"{mac}\",\"slot\":0,\"model\":\"SPEM-003CEBEU\",\"gen\":2,\
             \"fw_id\":\"20241011-114455/1.4.4-g6d2a586\",\"ver\":\"1.4.4\",\"app\":\"Pro3EM\",\"auth_en\":false,\
             \"auth_domain\":null,\"profile\":\"triphase\"}}"
        )
    );
    assert_eq!(
        get(address, "/rpc/Shelly.GetDeviceInfo").await?.body,
        info.body
    );

    let frequency = read.number((14, 7, 0));
    let phase = |name: &str, first: u8| {
        format!(
            "\"{name}_current\":{},\"{name}_voltage\":{},\"{name}_act_power\":{},\"{name}_aprt_power\":null,\
             \"{name}_pf\":null,\"{name}_freq\":{frequency}",
            read.number((first - 5, 7, 0)),
            read.number((first - 4, 7, 0)),
            fractional(&read.number((first, 7, 0))),
        )
    };
    let status = get(address, "/rpc/EM.GetStatus?id=0").await?;
    let current = &status.json()?["total_current"];
    assert!(current.is_number(), "{status:?}");
    let wanted = format!(
        "{{\"id\":0,{},{},{},\"n_current\":null,\"total_current\":{current},\"total_act_power\":{},\
         \"total_aprt_power\":null,\"user_calibrated_phase\":[]}}",
        phase("a", 36),
        phase("b", 56),
        phase("c", 76),
        fractional(&read.number((16, 7, 0))),
    );
    assert_eq!(status.body, wanted);

    // As evcc asks: the method in the path, a frame in the body, the result alone in the answer.
    let request = json!({"id": 0, "src": "evcc", "method": "EMData.GetStatus"});
    let data = rpc(address, "/rpc/EMData.GetStatus", &request).await?;
    assert_eq!(
        data.body,
        format!(
            "{{\"id\":0,\"a_total_act_energy\":null,\"a_total_act_ret_energy\":null,\"b_total_act_energy\":null,\
             \"b_total_act_ret_energy\":null,\"c_total_act_energy\":null,\"c_total_act_ret_energy\":null,\
             \"total_act\":{},\"total_act_ret\":{}}}",
            read.number((1, 8, 0)),
            read.number((2, 8, 0)),
        )
    );
    let methods = rpc(address, "/rpc/Shelly.ListMethods", &json!({}))
        .await?
        .json()?;
    assert!(
        methods["methods"]
            .as_array()
            .unwrap()
            .contains(&json!("EM.GetStatus"))
    );

    let request = json!({"id": 7, "src": "me", "method": "EM.GetStatus", "params": {"id": 0}});
    let framed = rpc(address, "/rpc", &request).await?;
    assert_eq!(
        framed.body,
        format!("{{\"id\":7,\"src\":\"{id}\",\"dst\":\"me\",\"result\":{wanted}}}")
    );
    let unknown = rpc(address, "/rpc", &json!({"id": 8, "method": "Switch.Set"})).await?;
    assert_eq!(unknown.status, 404);
    assert_eq!(
        unknown.json()?["error"]["message"],
        "No handler for Switch.Set"
    );
    assert_eq!(rpc(address, "/rpc", &json!("hello")).await?.status, 400);

    let paths = ["/rpc/EM.GetStatus?id=0", "/shelly"];
    let old = read.later(ALL, &paths).await?;
    assert_eq!(
        (old[0].status.as_u16(), &old[0].json()?["code"]),
        (503, &json!(-114))
    );
    // Which device it is does not depend on the meter.
    assert_eq!(old[1].json()?["id"], id);
    Ok(())
}

/// Asks by UDP. `None` when nothing comes before the answer to a later question would have.
async fn ask(socket: &UdpSocket, request: &str) -> Result<Option<String>> {
    socket.send(request.as_bytes()).await?;
    let mut buffer = [0; 2048];
    let wait = std::time::Duration::from_millis(500);
    match timeout(wait, socket.recv(&mut buffer)).await {
        Ok(length) => Ok(Some(String::from_utf8(buffer[..length?].to_vec())?)),
        Err(_) => Ok(None),
    }
}

/// A port that was free a moment ago.
async fn free_port() -> Result<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0").await?.local_addr()?.port())
}

#[tokio::test]
async fn batteries_ask_a_shelly_by_udp() -> Result {
    let port = free_port().await?;
    let keys = format!("shelly = \"pro3em\"\nshelly_udp = [\"127.0.0.1:{port}\"]\n");
    let read = Read::new(&keys).await?;
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(("127.0.0.1", port)).await?;
    let id = get(read.address, "/shelly").await?.json()?["id"].clone();

    let asked = r#"{"id":1,"src":"hame_cmd","method":"EM.GetStatus","params":{"id":0}}"#;
    let power = |first| fractional(&read.number((first, 7, 0)));
    let wanted = format!(
        "{{\"id\":1,\"src\":{id},\"dst\":\"unknown\",\"result\":{{\"a_act_power\":{},\"b_act_power\":{},\
         \"c_act_power\":{},\"total_act_power\":{}}}}}",
        power(36),
        power(56),
        power(76),
        power(16),
    );
    assert_eq!(ask(&socket, asked).await?.as_deref(), Some(&*wanted));
    let asked_one = r#"{"id":"x","src":"hame_cmd","method":"EM1.GetStatus","params":{"id":0}}"#;
    let wanted = format!(
        "{{\"id\":\"x\",\"src\":{id},\"dst\":\"unknown\",\"result\":{{\"act_power\":{}}}}}",
        power(16),
    );
    assert_eq!(ask(&socket, asked_one).await?.as_deref(), Some(&*wanted));
    for nonsense in [
        "",
        "{",
        "[]",
        r#"{"id":1,"method":"EM.GetStatus"}"#,
        r#"{"method":7,"params":{"id":0}}"#,
    ] {
        assert_eq!(ask(&socket, nonsense).await?, None, "{nonsense}");
    }
    assert!(ask(&socket, asked).await?.is_some());

    let (program, _) = read.restart(&keys).await?;
    assert_eq!(ask(&socket, asked).await?, None);
    program.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_meter_without_phases_is_on_the_first_of_them() -> Result {
    let mut head = Head::of("iskra-mt631", &MeterConfig::default()).await?;
    let text = format!(
        "{}{HTTP}shelly = \"emg3\"\necotracker = true\n",
        head.table("house")?
    );
    let mut program = Program::start(&text)?;
    let address = client::address(&mut program).await?;
    let telegram = head.speak().await?;
    program.stored(1).await?;
    let power = telegram.number_text(Obis([1, 0, 16, 7, 0, 255])).unwrap();
    let import = telegram.number_text(Obis([1, 0, 1, 8, 0, 255])).unwrap();
    let status = get(address, "/rpc/Shelly.GetStatus").await?;
    let mac = &get(address, "/shelly").await?.json()?["mac"];
    let export = telegram.number_text(Obis([1, 0, 2, 8, 0, 255]));
    assert_eq!(
        status.body,
        format!(
            "{{\"em1:0\":{{\"id\":0,\"current\":null,\"voltage\":null,\"act_power\":{},\"aprt_power\":null,\
             \"pf\":null,\"freq\":null}},\"em1data:0\":{{\"id\":0,\"total_act_energy\":{import},\
             \"total_act_ret_energy\":{}}},\"sys\":{{\"mac\":{mac}}}}}",
            fractional(&power),
            export.as_deref().unwrap_or("null"),
        )
    );
    assert_eq!(get(address, "/rpc/EM.GetStatus?id=0").await?.status, 404);
    assert!(!get(address, "/v1/json").await?.body.contains("Phase"));
    // What is not turned on is not there.
    for path in ["/cm?cmnd=status%2010", "/"] {
        assert_eq!(get(address, path).await?.status, 404, "{path}");
    }
    program.stop().await?;
    Ok(())
}
