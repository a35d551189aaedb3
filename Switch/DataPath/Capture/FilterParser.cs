using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace InterGuest.Switch.DataPath.Capture;

/// <summary>
/// Makes a <see cref="FrameFilter"/> of text, in the words of tcpdump's filters (pcap-filter(7)), of which it knows:
/// <code>
/// ip, ip6, arp, tcp, udp, icmp, icmp6
/// [src|dst] host ADDRESS          [src|dst] net ADDRESS/BITS
/// [tcp|udp] [src|dst] port NUMBER ether [src|dst] host MAC
/// dropped                         frames that the link dropped (tcpdump has no such word)
/// not, and, or (!, &amp;&amp;, ||), parentheses; 'and' binds closer than 'or'
/// </code>
/// </summary>
public sealed partial class FilterParser
{
    private const int MaxText = 4096;
    private const int MaxDepth = 64;
    private readonly List<(string Word, int At)> _words = [];
    private int _next;
    private int _depth;

    private FilterParser(string text)
    {
        foreach (Match word in Word().Matches(text))
            _words.Add((word.Value.ToLowerInvariant(), word.Index + 1));
    }

    private string? Peek => _next < _words.Count ? _words[_next].Word : null;

    /// <summary>Parses; null if the text is empty, which wants all.</summary>
    /// <exception cref="FormatException">It is no filter: says where and why.</exception>
    public static FrameFilter? Parse(string text)
    {
        if (text.Length > MaxText)
            throw new FormatException($"longer than {MaxText} characters");
        var parser = new FilterParser(text);
        if (parser._words.Count == 0)
            return null;
        var filter = parser.Or();
        return parser.Peek == null ? filter : throw parser.Wrong("expected 'and', 'or' or the end");
    }

    private FrameFilter Or() => Chain(And, ["or", "||"], parts => new FrameFilter.Any(parts));

    private FrameFilter And() => Chain(Factor, ["and", "&&"], parts => new FrameFilter.All(parts));

    private FrameFilter Chain(Func<FrameFilter> part, string[] between, Func<IReadOnlyList<FrameFilter>, FrameFilter> join)
    {
        var parts = new List<FrameFilter> { part() };
        while (Take(between))
            parts.Add(part());
        return parts.Count == 1 ? parts[0] : join(parts);
    }

    private FrameFilter Factor()
    {
        if (++_depth > MaxDepth)
            throw Wrong($"more than {MaxDepth} levels deep");
        FrameFilter filter;
        if (Take("not", "!"))
        {
            filter = new FrameFilter.Not(Factor());
        }
        else if (Take("("))
        {
            filter = Or();
            if (!Take(")"))
                throw Wrong("expected ')'");
        }
        else
        {
            filter = Primitive();
        }
        _depth--;
        return filter;
    }

    private FrameFilter Primitive()
    {
        if (Take("ip"))
            return new FrameFilter.Ether(PacketFields.Ip4);
        if (Take("ip6"))
            return new FrameFilter.Ether(PacketFields.Ip6);
        if (Take("arp"))
            return new FrameFilter.Ether(PacketFields.Arp);
        if (Take("icmp"))
            return new FrameFilter.Above(PacketFields.Icmp, PacketFields.Ip4);
        if (Take("icmp6"))
            return new FrameFilter.Above(PacketFields.Icmp6, PacketFields.Ip6);
        if (Take("dropped"))
            return new FrameFilter.Lost();
        if (Take("tcp"))
            return Transport(PacketFields.Tcp);
        if (Take("udp"))
            return Transport(PacketFields.Udp);
        if (Take("ether"))
            return Station();
        var side = TakeSide();
        return Take("host") ? Host(side) : Take("net") ? Net(side) : Take("port") ? Port(side)
            : throw Wrong(side == FrameFilter.Side.Either ? "expected a protocol, 'host', 'net', 'port', 'ether', 'dropped', 'not' or '('" : "expected 'host', 'net' or 'port'");
    }

    private FrameFilter Transport(int protocol)
    {
        var above = new FrameFilter.Above(protocol);
        if (Peek is not ("src" or "dst" or "port"))
            return above;
        var side = TakeSide();
        return Take("port") ? new FrameFilter.All([above, Port(side)]) : throw Wrong("expected 'port'");
    }

    private FrameFilter.Port Port(FrameFilter.Side side) =>
        ushort.TryParse(Peek, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) ? Taken(new FrameFilter.Port(side, port)) : throw Wrong("expected a port number");

    private FrameFilter.Net Host(FrameFilter.Side side) =>
        AddressOf(Peek) is { } address ? Taken(new FrameFilter.Net(side, address, address.Length * 8)) : throw Wrong("expected an IP address; names are not looked up");

    private FrameFilter.Net Net(FrameFilter.Side side)
    {
        string[] parts = (Peek ?? "").Split('/');
        return parts.Length == 2 && AddressOf(parts[0]) is { } address && byte.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out byte bits) && bits <= address.Length * 8
            ? Taken(new FrameFilter.Net(side, address, bits))
            : throw Wrong("expected ADDRESS/BITS");
    }

    private FrameFilter.Station Station()
    {
        var side = TakeSide();
        if (!Take("host"))
            throw Wrong("expected 'host'");
        byte[]? address = Peek is { } text && Mac().IsMatch(text) ? Convert.FromHexString(text.Replace(":", "", StringComparison.Ordinal)) : null;
        return address != null ? Taken(new FrameFilter.Station(side, address)) : throw Wrong("expected a MAC address as 52:54:00:00:00:01");
    }

    private static byte[]? AddressOf(string? text) =>
        // Not what IPAddress takes beside it: "1", "0x7f.1".
        text != null && (text.Contains(':', StringComparison.Ordinal) || text.Count(c => c == '.') == 3) && IPAddress.TryParse(text, out var address)
            && (address.AddressFamily == AddressFamily.InterNetwork || address.ScopeId == 0)
            ? address.GetAddressBytes()
            : null;

    private FrameFilter.Side TakeSide() => Take("src") ? FrameFilter.Side.Source : Take("dst") ? FrameFilter.Side.Destination : FrameFilter.Side.Either;

    private bool Take(params ReadOnlySpan<string> words)
    {
        foreach (string word in words)
        {
            if (Peek != word)
                continue;
            _next++;
            return true;
        }
        return false;
    }

    private T Taken<T>(T filter)
    {
        _next++;
        return filter;
    }

    private FormatException Wrong(string expected) =>
        new(_next < _words.Count ? $"at '{_words[_next].Word}' (character {_words[_next].At}): {expected}" : $"at the end: {expected}");

    [GeneratedRegex(@"&&|\|\||[()!]|[^\s()!&|]+|[&|]")]
    private static partial Regex Word();

    [GeneratedRegex("^([0-9a-f]{2}:){5}[0-9a-f]{2}$")]
    private static partial Regex Mac();
}
