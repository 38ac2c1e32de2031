/** A database URL with and without an environment, read as libpq reads it. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ConfigError } from "../../src/errors.ts";
import { type Environment, parseTarget, tlsWishOf } from "../../src/store/target.ts";
import { temporaryFolder } from "../support/postgres.ts";

/** As a person's shell may be for quite another database. */
const FOREIGN: Environment = {
  PGHOST: "db.example.com",
  PGPORT: "6000",
  PGDATABASE: "theirs",
  PGUSER: "them",
  PGPASSWORD: "their-password",
  PGSSLMODE: "require",
  PGSSLNEGOTIATION: "direct",
  PGOPTIONS: "-c search_path=theirs",
  PGAPPNAME: "their-app",
  PGTZ: "America/New_York",
};

describe("a database URL", () => {
  it("counts alone where no environment is given", () => {
    const target = parseTarget("postgres://me:pw@127.0.0.1:5433/mine?sslmode=disable", {});
    assert.deepEqual(target, {
      place: "127.0.0.1:5433",
      password: "pw",
      mayBePlain: false,
      fallbackTls: null,
      attributes: null,
      mustBind: false,
      described: "postgres://me:***@127.0.0.1:5433/mine",
      startup: { user: "me", database: "mine", application_name: "hlsync", DateStyle: "ISO" },
      config: {
        host: "127.0.0.1",
        port: 5433,
        user: "me",
        password: "pw",
        database: "mine",
        ssl: false,
        sslnegotiation: "postgres",
      },
    });
  });

  it("wins over the environment", () => {
    const { config, startup } = parseTarget(
      "postgres://me:pw@127.0.0.1:5433/mine?sslmode=disable&sslnegotiation=postgres&options=-c%20geqo%3Doff&application_name=mine",
      FOREIGN,
    );
    assert.deepEqual(
      [config.host, config.port, config.user, config.password, config.database, config.ssl],
      ["127.0.0.1", 5433, "me", "pw", "mine", false],
    );
    assert.deepEqual(startup, {
      user: "me",
      database: "mine",
      application_name: "mine",
      options: "-c geqo=off",
      DateStyle: "ISO",
      TimeZone: "America/New_York",
    });
  });

  it("takes from the environment what it does not say", () => {
    const { config, startup, place, described } = parseTarget("postgres://", FOREIGN);
    assert.equal(place, "db.example.com:6000");
    assert.equal(described, "postgres://them:***@db.example.com:6000/theirs");
    assert.deepEqual(config.ssl, { rejectUnauthorized: false });
    assert.equal(config.sslnegotiation, "direct");
    assert.equal(config.password, "their-password");
    assert.deepEqual(startup, {
      user: "them",
      database: "theirs",
      application_name: "their-app",
      DateStyle: "ISO",
      options: "-c search_path=theirs",
      TimeZone: "America/New_York",
    });
  });

  it("is encrypted as PGSSLMODE asks, and says so", () => {
    for (const [mode, isPlain] of [
      ["disable", true],
      ["allow", true],
      ["prefer", false],
      ["require", false],
      ["verify-full", false],
    ] as const) {
      assert.equal(
        tlsWishOf("postgres://me@db.example.com/mine", { PGSSLMODE: mode }).isPlain,
        isPlain,
        mode,
      );
      assert.equal(
        tlsWishOf("postgres://me@db.example.com/mine?sslmode=disable", { PGSSLMODE: mode }).isPlain,
        true,
      );
    }
    // As libpq has it, absent means prefer: TLS where the server offers it.
    for (const [url, mayBePlain] of [
      ["postgres://me@db.example.com/mine", true],
      ["postgres://me@db.example.com/mine?sslmode=prefer", true],
      ["postgres://me@db.example.com/mine?sslmode=require", false],
      ["postgres://me@db.x.supabase.co/postgres", false],
      ["postgres:///mine?host=/run/postgresql", false],
    ] as const) {
      assert.equal(tlsWishOf(url, {}).mayBePlain, mayBePlain, url);
      assert.equal(parseTarget(url, {}).mayBePlain, mayBePlain, url);
    }
    assert.notEqual(parseTarget("postgres://me@db.example.com/mine", {}).config.ssl, false);
    for (const mode of ["disable", "allow"]) {
      const { config, fallbackTls } = parseTarget(`postgres://me@db.example.com/mine?sslmode=${mode}`, {});
      assert.equal(config.ssl, false);
      assert.deepEqual(fallbackTls, mode === "allow" ? { rejectUnauthorized: false } : null);
    }
    assert.equal(tlsWishOf("postgres://me@db.x.supabase.co/postgres", {}).isPlain, false);
    assert.equal(tlsWishOf("postgres:///mine?host=/run/postgresql", { PGSSLMODE: "require" }).isPlain, true);
  });

  it("asks of the server what libpq asks of it", () => {
    const url = "postgres://me@db.example.com/mine";
    for (const [value, attributes] of [
      ["any", null],
      ["prefer-standby", null],
      ["read-write", "read-write"],
      ["read-only", "read-only"],
      ["primary", "primary"],
      ["standby", "standby"],
    ] as const) {
      assert.equal(parseTarget(url, { PGTARGETSESSIONATTRS: value }).attributes, attributes);
      assert.equal(parseTarget(`${url}?target_session_attrs=${value}`, {}).attributes, attributes);
    }
    assert.equal(
      parseTarget(`${url}?target_session_attrs=any`, { PGTARGETSESSIONATTRS: "standby" }).attributes,
      null,
    );
    for (const [value, mustBind] of [
      ["disable", false],
      ["prefer", false],
      ["require", true],
    ] as const)
      assert.equal(parseTarget(`${url}?channel_binding=${value}`, {}).mustBind, mustBind);
    // What asks for nothing that is missing here.
    const harmless = { PGGSSENCMODE: "prefer", PGSSLCERTMODE: "allow" };
    assert.equal(parseTarget(url, harmless).place, "db.example.com:5432");
  });

  it("goes to an address, and holds the certificate against the name", () => {
    const { config, place } = parseTarget("postgres://me@db.example.com/mine?sslmode=verify-full", {
      PGHOSTADDR: "192.0.2.7",
      PGSSLMINPROTOCOLVERSION: "TLSv1.3",
    });
    assert.deepEqual(
      [place, config.host, config.ssl],
      ["db.example.com:5432", "192.0.2.7", { minVersion: "TLSv1.3", servername: "db.example.com" }],
    );
    const alone = parseTarget("postgres://", { PGHOSTADDR: "192.0.2.7" });
    assert.deepEqual([alone.place, alone.config.host], ["192.0.2.7:5432", "192.0.2.7"]);
  });

  it("may name a service, which goes before the environment and after the URL", () => {
    const folder = temporaryFolder();
    const file = join(folder.path, "services.conf");
    writeFileSync(
      file,
      "# mine\n[other]\nhost=no\n\n[prod]\nhost = prod.example.com\nport=5434\nuser=service\npassword=a=b\n[next]\nport=1\n",
    );
    const environment = { PGSERVICEFILE: file, PGUSER: "env", PGDATABASE: "envdb" };
    for (const target of [
      parseTarget("postgres:///?service=prod", environment),
      parseTarget("postgres://", { ...environment, PGSERVICE: "prod" }),
    ])
      assert.equal(target.described, "postgres://service:***@prod.example.com:5434/envdb");
    const { password, place } = parseTarget("postgres://u@h/d?service=prod", environment);
    assert.deepEqual([password, place], ["a=b", "h:5434"]);
    assert.throws(
      () => parseTarget("postgres://", { ...environment, PGSERVICE: "none" }),
      /no service "none" in .*PGSERVICE/,
    );
    folder.remove();
  });

  it("is refused without being repeated where something in it or in the environment is wrong", () => {
    const refusals: [string, Environment, RegExp][] = [
      ["postgres://me:s3cret@host/db", { PGSSLMODE: "maybe" }, /unknown sslmode "maybe" .*PGSSLMODE/],
      [
        "postgres://me:s3cret@host/db?sslmode=require",
        { PGSSLNEGOTIATION: "x" },
        /unknown sslnegotiation "x"/,
      ],
      [
        "postgres://me:s3cret@host/db?sslmode=verify-full&sslrootcert=/nowhere.pem",
        {},
        /cannot read sslrootcert/,
      ],
      ["postgres:///db?port=99999&password=s3cret", {}, /port of the database/],
      // What libpq refuses too, or keeps to and this does not.
      ...["disable", "allow", "prefer"].map((mode): [string, Environment, RegExp] => [
        `postgres://me:s3cret@host/db?sslmode=${mode}`,
        { PGSSLNEGOTIATION: "direct" },
        new RegExp(`sslnegotiation=direct goes with .*, not with ${mode} .*PGSSLNEGOTIATION`),
      ]),
      ["postgres://me:s3cret@host/db?sslnegotiation=direct", {}, /not with prefer/],
      [
        "postgres://me:s3cret@host/db",
        { PGTARGETSESSIONATTRS: "master" },
        /unknown target_session_attrs "master"/,
      ],
      ["postgres://me:s3cret@host/db", { PGCHANNELBINDING: "yes" }, /unknown channel_binding "yes"/],
      [
        "postgres://me:s3cret@host/db",
        { PGSSLMINPROTOCOLVERSION: "TLSv9" },
        /unknown ssl_min_protocol_version/,
      ],
      ["postgres://me:s3cret@host/db", { PGREQUIREAUTH: "scram-sha-256" }, /require_auth .*PGREQUIREAUTH/],
      ["postgres://me:s3cret@host/db?requirepeer=postgres", {}, /requirepeer "postgres" cannot be kept to/],
      ["postgres://me:s3cret@host/db", { PGGSSENCMODE: "require" }, /gssencmode "require"/],
      ["postgres://me:s3cret@host/db", { PGSSLCERTMODE: "require" }, /sslcertmode "require"/],
      ["postgres://me:s3cret@host/db", { PGSSLCRLDIR: "/crl" }, /sslcrldir/],
      ["postgres://me:s3cret@a,b/db", {}, /several servers .*host/],
      ["postgres://", { PGHOSTADDR: "127.0.0.1,127.0.0.2" }, /several servers .*PGHOSTADDR/],
      ["postgres://", { PGPORT: "5432,5433" }, /several servers .*PGPORT/],
      ["postgres://me:s3cret%zz@host/db", {}, /cannot be read/],
    ];
    for (const [url, environment, says] of refusals)
      assert.throws(
        () => parseTarget(url, environment),
        (error) => {
          assert.ok(error instanceof ConfigError, String(error));
          assert.match(error.message, says);
          assert.doesNotMatch(error.message, /s3cret/);
          return true;
        },
      );
  });
});
