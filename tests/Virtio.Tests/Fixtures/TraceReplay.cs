using System.Globalization;
using System.Text.RegularExpressions;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Virtio.Tests.Fixtures;

/// <summary>
/// Sends the messages of a trace to a session over a recording device, with descriptors of the right kinds, and holds each answer to
/// what front-ends insist on: replies to questions and to what asks for one, and to nothing else.
/// </summary>
internal sealed partial class TraceReplay : IDisposable
{
    private static readonly Dictionary<string, uint> Requests = new()
    {
        ["GET_FEATURES"] = 1, ["SET_FEATURES"] = 2, ["SET_OWNER"] = 3, ["SET_MEM_TABLE"] = 5, ["SET_VRING_NUM"] = 8, ["SET_VRING_ADDR"] = 9,
        ["SET_VRING_BASE"] = 10, ["GET_VRING_BASE"] = 11, ["SET_VRING_KICK"] = 12, ["SET_VRING_CALL"] = 13, ["SET_VRING_ERR"] = 14,
        ["GET_PROTOCOL_FEATURES"] = 15, ["SET_PROTOCOL_FEATURES"] = 16, ["GET_QUEUE_NUM"] = 17, ["SET_VRING_ENABLE"] = 18,
        ["SET_BACKEND_REQ_FD"] = 21, ["GET_CONFIG"] = 24, ["GET_INFLIGHT_FD"] = 31, ["SET_INFLIGHT_FD"] = 32, ["GET_MAX_MEM_SLOTS"] = 36,
        ["ADD_MEM_REG"] = 37, ["SET_STATUS"] = 39, ["GET_STATUS"] = 40,
    };

    private static readonly string[] Answered =
        ["GET_FEATURES", "GET_PROTOCOL_FEATURES", "GET_QUEUE_NUM", "GET_MAX_MEM_SLOTS", "GET_STATUS", "GET_VRING_BASE"];

    private readonly SessionUnderTest _session = new();
    private readonly Queue<Match> _lines;

    internal TraceReplay(string name)
    {
        using var stream = typeof(TraceReplay).Assembly.GetManifestResourceStream(name)!;
        using var reader = new StreamReader(stream);
        _lines = new(reader.ReadToEnd().Split('\n').Select(l => Line().Match(l)).Where(m => m.Success));
    }

    internal RecordingBackEnd Device => _session.Device;

    internal List<(RequestCode Request, string Why)> Refusals => _session.Refusals;

    /// <summary>How many were sent.</summary>
    internal int Messages { get; private set; }

    public void Dispose() => _session.Dispose();

    internal void RunToTheEnd() => RunUntil("", 1);

    /// <summary>Up to and with this occurrence, counted from here, of a message; or to the end.</summary>
    internal void RunUntil(string request, int occurrence)
    {
        while (_lines.TryDequeue(out var line))
        {
            Send(line);
            if (line.Groups["request"].Value == request && --occurrence == 0)
                return;
        }
    }

    [GeneratedRegex(@"^ *[\d.]+ (?<request>[A-Z_]+) +sz=(?<size>\d+) *(?<ack>NEED_REPLY)? *(fds=(?<fds>\d+))? *(?<rest>.*)$")]
    private static partial Regex Line();

    [GeneratedRegex(@"(?<key>\w+)=(?<value>[0-9a-f]+)")]
    private static partial Regex Pair();

    private void Send(Match line)
    {
        string request = line.Groups["request"].Value;
        bool ack = line.Groups["ack"].Success;
        byte[] body = Body(request, line.Groups["rest"].Value);
        Assert.Equal(int.Parse(line.Groups["size"].Value, CultureInfo.InvariantCulture), body.Length);
        Assert.Equal(line.Groups["fds"].Success, TakesFd(request));
        uint code = Requests[request];
        byte[] reply;
        if (TakesFd(request))
            using (var fd = Descriptor(request))
                reply = _session.Exchange((RequestCode)code, body, ack, fd);
        else
            reply = _session.Exchange((RequestCode)code, body, ack);
        Messages++;
        if (ack)
            Assert.Equal(SessionUnderTest.Ack((RequestCode)code, 0), reply);
        else if (request is "GET_CONFIG" or "GET_INFLIGHT_FD") // of more than a number: what is in it is for other tests
            Assert.Equal([.. RawPeer.U32s(code, 5)], reply[..8]);
        else if (Answered.Contains(request))
            Assert.Equal([.. RawPeer.U32s(code, 5, 8)], reply[..^8]);
        else
            Assert.Empty(reply);
    }

    private static bool TakesFd(string request) =>
        request is "SET_VRING_KICK" or "SET_VRING_CALL" or "SET_VRING_ERR" or "SET_MEM_TABLE" or "ADD_MEM_REG" or "SET_BACKEND_REQ_FD" or "SET_INFLIGHT_FD";

    private static FileDescriptor Descriptor(string request) => request switch
    {
        "SET_MEM_TABLE" or "ADD_MEM_REG" => MemFd.Create("trace", 0x1000_0000), // holes, as big as the guest was
        "SET_INFLIGHT_FD" => MemFd.Create("trace", 8192),
        "SET_BACKEND_REQ_FD" => UnixSocket.Pair().First,
        _ => Fds.RawEventFd(0, 0),
    };

    private static byte[] Body(string request, string rest)
    {
        var values = Pair().Matches(rest).ToDictionary(m => m.Groups["key"].Value, m => m.Groups["value"].Value);
        ulong Hex(string key) => ulong.Parse(values[key], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        uint Number(string key) => uint.Parse(values[key], CultureInfo.InvariantCulture);
        byte[] Region() => RawPeer.U64s(Hex("gpa"), Hex("size"), Hex("uva"), Hex("off"));
        return request switch
        {
            "SET_FEATURES" or "SET_PROTOCOL_FEATURES" or "SET_STATUS" => RawPeer.U64(Convert.ToUInt64(rest.Trim(), 16)),
            "SET_VRING_KICK" or "SET_VRING_CALL" or "SET_VRING_ERR" => RawPeer.U64(Number("idx") | Number("nofd") << 8),
            "SET_VRING_NUM" or "SET_VRING_BASE" or "SET_VRING_ENABLE" or "GET_VRING_BASE" => RawPeer.U32s(Number("idx"), Number("num")),
            "SET_VRING_ADDR" => [.. RawPeer.U32s(Number("idx"), Number("flags")), .. RawPeer.U64s(Hex("desc"), Hex("used"), Hex("avail"), Hex("log"))],
            "SET_MEM_TABLE" => [.. RawPeer.U32s(Number("n"), 0), .. Region()],
            "ADD_MEM_REG" => [.. RawPeer.U64(0), .. Region()],
            "GET_CONFIG" => [.. RawPeer.U32s(Number("off"), Number("size"), Number("flags")), .. new byte[Number("size")]],
            "GET_INFLIGHT_FD" or "SET_INFLIGHT_FD" =>
                [.. RawPeer.U64s(Number("mmap_size"), Number("off")), .. RawPeer.U32s(Number("nq") | Number("qsz") << 16, 0)],
            _ => [],
        };
    }
}
