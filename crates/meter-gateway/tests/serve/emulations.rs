//! What other programs ask other devices: the exact answers, and none when the value is too old.

use std::net::SocketAddr;

use http_body_util::Full;
use hyper::Request;
use meter_core::{ServerId, UnixMillis};
use meter_sim::{MeterConfig, Telegram};
use serde_json::{Value, json};
use sml_wire::Obis;
use tempfile::TempDir;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::bench::{Head, Program, Result, TODAY, TestClocks};
use crate::client::{self, Answer, HTTP, get, send};

/// Everything that can be turned on.
const ALL: &str = "vzlogger = true\ntasmota = true\necotracker = true\nshelly = \"pro3em\"\n";

/// A program that has read one telegram of a three-phase meter.
struct Read {
    program: Program,
    address: SocketAddr,
    head: Head,
    telegram: Telegram,
}

impl Read {
    async fn new(keys: &str) -> Result<Self> {
        let mut head = Head::of("efr-sgm", &MeterConfig::default()).await?;
        let mut program = Program::start(&format!("{}{HTTP}{keys}", head.table("house")?))?;
        let address = client::address(&mut program).await?;
        let telegram = head.speak().await?;
        program.stored(1).await?;
        Ok(Self {
            program,
            address,
            head,
            telegram,
        })
    }

    /// The number of a register as the meter sent it.
    fn number(&self, cde: (u8, u8, u8)) -> String {
        let obis = Obis([1, 0, cde.0, cde.1, cde.2, 255]);
        self.telegram.number_text(obis).unwrap()
    }

    /// The same without what stands behind the point.
    fn whole(&self, cde: (u8, u8, u8)) -> String {
        let number = self.number(cde);
        let whole = number.split('.').next().unwrap();
        if whole == "-0" { "0" } else { whole }.to_owned()
    }

    /// The same in thousandths, by moving the point.
    fn kilo(&self, cde: (u8, u8, u8)) -> String {
        let number = self.number(cde);
        let (whole, decimals) = number.split_once('.').unwrap_or((&number, ""));
        let whole = format!("{whole:0>4}");
        let (thousands, rest) = whole.split_at(whole.len() - 3);
        format!("{thousands}.{rest}{decimals}")
    }

    /// When the reading was taken, in milliseconds.
    fn time(&self) -> i64 {
        self.program.view.borrow().meters[self.head.server_id()]
            .time
            .0
    }

    /// The program again, five minutes later, and the meter says nothing any more.
    async fn later(self, keys: &str) -> Result<(Program, SocketAddr)> {
        let Self {
            program, mut head, ..
        } = self;
        let state: TempDir = program.stop().await?;
        head.hang_up();
        let text = format!("{}{HTTP}{keys}", head.table("house")?);
        let clocks = TestClocks::at(UnixMillis(TODAY.0 + 300_000));
        let mut program = Program::start_at(&text, state, clocks)?;
        let address = client::address(&mut program).await?;
        program
            .until("the meter is known", |view| !view.meters.is_empty())
            .await?;
        // The port stays open, so that nobody is warned of it.
        std::mem::forget(head);
        Ok((program, address))
    }
}

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

#[tokio::test]
async fn vzlogger_is_answered_for_each_register() -> Result {
    let read = Read::new(ALL).await?;
    let meter = ServerId(read.head.server_id());
    let time = read.time();
    let meters = get(read.address, "/api/v1/meters").await?.json()?;
    let registers = meters["meters"][0]["registers"].as_array().unwrap().clone();
    let mut channels = Vec::new();
    for register in &read.telegram.registers {
        let obis = register.obis.to_string();
        let listed = registers
            .iter()
            .find(|listed| listed["obis"] == *obis)
            .unwrap();
        let Some(number) = read.telegram.number_text(register.obis) else {
            assert_eq!(listed["uuid"], Value::Null);
            continue;
        };
        let name = format!("meterline:{meter}:{obis}");
        let uuid = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes());
        assert_eq!(listed["uuid"], uuid.to_string());
        channels.push((uuid, format!(
            "{{\"uuid\":\"{uuid}\",\"obis\":\"{obis}\",\"last\":{time},\"interval\":-1,\"protocol\":\"sml\",\
             \"tuples\":[[{time},{number}]]}}"
        )));
    }
    assert!(channels.len() > 10);
    let whole = |data: &str| {
        format!("{{\"version\":\"0.8.10\",\"generator\":\"vzlogger\",\"data\":[{data}]}}")
    };
    let all = get(read.address, "/").await?;
    let data: Vec<_> = channels
        .iter()
        .map(|(_, channel)| channel.as_str())
        .collect();
    assert_eq!(all.body, whole(&data.join(",")));
    assert_eq!(all.kind, "application/json");
    let (uuid, channel) = &channels[0];
    let one = get(read.address, &format!("/{uuid}")).await?;
    assert_eq!(one.body, whole(channel));

    let unknown = get(read.address, "/00000000-0000-4000-8000-000000000000").await?;
    assert_eq!((unknown.status.as_u16(), unknown.body), (404, whole("")));
    assert_eq!(
        get(read.address, "/nothing").await?.kind,
        "application/problem+json"
    );

    let uuid = *uuid;
    let (program, address) = read.later(ALL).await?;
    let old = get(address, &format!("/{uuid}")).await?.json()?;
    assert_eq!(old["data"][0]["last"], time);
    assert!(old["data"][0].get("tuples").is_none(), "{old}");
    program.stop().await?;
    Ok(())
}

#[tokio::test]
async fn tasmota_is_answered_with_its_own_names() -> Result {
    let read = Read::new(ALL).await?;
    let time = UnixMillis(read.time()).to_string();
    let wanted = format!(
        "{{\"StatusSNS\":{{\"Time\":\"{}\",\"SML\":{{\"Total_in\":{},\"Total_out\":{},\"Power_curr\":{},\
         \"power_l1\":{},\"power_l2\":{},\"power_l3\":{},\"voltage_l1\":{},\"voltage_l2\":{},\"voltage_l3\":{},\
         \"current_l1\":{},\"current_l2\":{},\"current_l3\":{}}}}}}}",
        &time[..19],
        read.kilo((1, 8, 0)),
        read.kilo((2, 8, 0)),
        read.whole((16, 7, 0)),
        read.whole((36, 7, 0)),
        read.whole((56, 7, 0)),
        read.whole((76, 7, 0)),
        read.number((32, 7, 0)),
        read.number((52, 7, 0)),
        read.number((72, 7, 0)),
        read.number((31, 7, 0)),
        read.number((51, 7, 0)),
        read.number((71, 7, 0)),
    );
    for asked in [
        "/cm?cmnd=status%2010",
        "/cm?cmnd=Status+8",
        "/cm?user=admin&password=x&cmnd=STATUS%2010",
    ] {
        let answer = get(read.address, asked).await?;
        assert_eq!(
            (answer.kind.as_str(), &answer.body),
            ("application/json", &wanted)
        );
    }
    let other = get(read.address, "/cm?cmnd=Power%20on").await?;
    assert_eq!(other.body, "{\"Command\":\"Unknown\"}");

    let (program, address) = read.later(ALL).await?;
    let old = get(address, "/cm?cmnd=status%2010").await?;
    assert_eq!(old.status, 503);
    assert!(old.body.contains("too old"), "{old:?}");
    program.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_ecotracker_says_how_old_its_power_is() -> Result {
    let mut read = Read::new(ALL).await?;
    let mut powers = vec![read.whole((16, 7, 0)).parse::<i64>()?];
    for stored in 2..=4 {
        read.telegram = read.head.speak().await?;
        read.program.stored(stored).await?;
        powers.push(read.number((16, 7, 0)).parse()?);
    }
    let mean = powers.iter().sum::<i64>() / 4;
    let answer = get(read.address, "/v1/json").await?;
    assert_eq!(answer.kind, "application/json");
    let age = answer.json()?["agePower"].as_u64().unwrap();
    assert!(age < 20_000);
    assert_eq!(
        answer.body,
        format!(
            "{{\"power\":{},\"powerAvg\":{mean},\"agePower\":{age},\"powerPhase1\":{},\"powerPhase2\":{},\
             \"powerPhase3\":{},\"energyCounterOut\":{},\"energyCounterIn\":{}}}",
            read.whole((16, 7, 0)),
            read.whole((36, 7, 0)),
            read.whole((56, 7, 0)),
            read.whole((76, 7, 0)),
            read.number((2, 8, 0)),
            read.number((1, 8, 0)),
        )
    );
    let (program, address) = read.later(ALL).await?;
    assert_eq!(get(address, "/v1/json").await?.status, 503);
    program.stop().await?;
    Ok(())
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

    let (program, address) = read.later(ALL).await?;
    let old = get(address, "/rpc/EM.GetStatus?id=0").await?;
    assert_eq!(
        (old.status.as_u16(), &old.json()?["code"]),
        (503, &json!(-114))
    );
    // Which device it is does not depend on the meter.
    assert_eq!(get(address, "/shelly").await?.json()?["id"], id);
    program.stop().await?;
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

    let (program, _) = read.later(&keys).await?;
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

#[tokio::test]
async fn of_several_meters_one_has_to_be_chosen() -> Result {
    let mut house = Head::new(&MeterConfig::default()).await?;
    let mut garage = Head::new(&MeterConfig {
        serial: Some(77),
        ..MeterConfig::default()
    })
    .await?;
    let table = house.table("house")? + &garage.table("garage")? + HTTP + ALL;
    let mut program = Program::start(&table)?;
    program.expect("several meters are read");
    let address = client::address(&mut program).await?;
    let early = get(address, "/v1/json").await?;
    assert_eq!(early.status, 503);
    assert!(early.body.contains("no meter was read yet"), "{early:?}");
    house.send(1).await?;
    program.stored(1).await?;
    assert_eq!(get(address, "/v1/json").await?.status, 200);
    garage.send(1).await?;
    program.stored(2).await?;
    for path in [
        "/v1/json",
        "/cm?cmnd=status%2010",
        "/rpc/EM.GetStatus",
        "/shelly",
    ] {
        let refused = get(address, path).await?;
        assert_eq!(refused.status, 503, "{path}");
        for head in [&house, &garage] {
            let name = ServerId(head.server_id()).meter_id().to_string();
            assert!(refused.body.contains(&name), "{refused:?}");
        }
    }
    let chosen = ServerId(garage.server_id()).meter_id().to_string();
    program
        .reload(&format!("{table}meter = \"{chosen}\"\n"))
        .await?;
    let old = address;
    program
        .until("moved", |view| {
            let now = view.http.as_ref().and_then(|http| http.address);
            now.is_some_and(|now| now != old)
        })
        .await?;
    let address = client::address(&mut program).await?;
    assert_eq!(get(address, "/v1/json").await?.status, 200);

    program
        .reload(&format!("{table}meter = \"1 EMH00 0000 0001\"\n"))
        .await?;
    let old = address;
    program
        .until("moved", |view| {
            let now = view.http.as_ref().and_then(|http| http.address);
            now.is_some_and(|now| now != old)
        })
        .await?;
    let address = client::address(&mut program).await?;
    let unknown = get(address, "/v1/json").await?;
    assert_eq!(unknown.status, 503);
    assert!(unknown.body.contains(&chosen), "{unknown:?}");
    program.stop().await?;
    Ok(())
}
