using InterGuest.Protos.V1;
using Spectre.Console;
using SwitchStatus = InterGuest.Protos.V1.Status;

namespace InterGuest.Cli.Output;

/// <summary>What `top` shows: where most flows first, with what flowed before as a small graph.</summary>
internal sealed class TopReport
{
    private const int GraphWidth = 20;
    private readonly Dictionary<(string Link, string From), Queue<double?>> _history = [];
    private Rates _rates = new(null, new SwitchStatus());
    private SwitchStatus _now = new();

    /// <summary>Takes two pictures in.</summary>
    public void Add(SwitchStatus before, SwitchStatus now)
    {
        (_rates, _now) = (new Rates(before, now), now);
        var there = Directions().Select(d => (d.Link.Name, d.Direction.From)).ToHashSet();
        foreach (var gone in _history.Keys.Where(key => !there.Contains(key)).ToList())
            _history.Remove(gone);
        foreach ((Link link, LinkDirection direction) in Directions())
        {
            var key = (link.Name, direction.From);
            if (!_history.TryGetValue(key, out Queue<double?>? past))
                _history.Add(key, past = new Queue<double?>());
            past.Enqueue(_rates.Bits(link, direction));
            if (past.Count > GraphWidth)
                past.Dequeue();
        }
    }

    public void Write(Screen screen)
    {
        SwitchInfo info = _now.Switch ?? new SwitchInfo();
        double total = Directions().Sum(d => _rates.Bits(d.Link, d.Direction) ?? 0);
        screen.WriteLine(Words.Clean($"Switch {info.Version}, up {Units.Duration(TimeSpan.FromSeconds(Math.Floor(Units.Span(info.Uptime).TotalSeconds)))}, "
            + $"{_now.Ports.Count} ports, {_now.Links.Count} links, {Units.BitsPerSecond(total)} in all"));
        screen.WriteLine();
        screen.Write(Links());
        screen.WriteLine();
        screen.Write(Ports());
        if (_now.Ports.Any(p => p.Type == DeviceType.Block))
        {
            screen.WriteLine();
            screen.Write(Disks());
        }
    }

    /// <summary>For machines: one object, on one line.</summary>
    public string Json() => JsonOutput.Object(indented: false, writer =>
    {
        writer.WriteNumber("uptime", Units.Span(_now.Switch?.Uptime).TotalSeconds);
        writer.WriteStartArray("directions");
        foreach ((Link link, LinkDirection direction) in Sorted())
        {
            writer.WriteStartObject();
            writer.WriteString("link", link.Name);
            writer.WriteString("from", direction.From);
            writer.WriteString("to", direction.To);
            Number("bitsPerSecond", _rates.Bits(link, direction));
            Number("framesPerSecond", _rates.Frames(link, direction));
            Number("dropsPerSecond", _rates.Drops(link, direction));
            Number("translatedPerSecond", _rates.Translated(link, direction));
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteStartArray("ports");
        foreach (Port port in _now.Ports)
        {
            writer.WriteStartObject();
            writer.WriteString("port", port.Name);
            writer.WriteString("state", Words.Of(port.State).Word);
            Number("sentBitsPerSecond", _rates.SentBits(port));
            Number("receivedBitsPerSecond", _rates.ReceivedBits(port));
            Number("kicksPerSecond", _rates.Kicks(port));
            Number("callsPerSecond", _rates.Calls(port));
            if (port.Type == DeviceType.Block)
            {
                writer.WriteNumber("requestsInFlight", port.Counters?.RequestsInFlight ?? 0);
                Number("latencySeconds", _rates.Latency(port), digits: 9);
            }
            writer.WriteEndObject();
        }
        writer.WriteEndArray();

        void Number(string name, double? value, int digits = 3)
        {
            if (value is { } number)
                writer.WriteNumber(name, Math.Round(number, digits));
            else
                writer.WriteNull(name);
        }
    });

    private Table Links()
    {
        // Narrow as it is: most links translate nothing.
        bool translates = Directions().Any(d => d.Direction.Translation?.Frames > 0);
        string[] translated = translates ? ["TRANSLATED/S"] : [];
        Table table = Tables.Of(["~LINK", "~DIRECTION", "STATE", "RATE", "FRAMES/S", .. translated, "DROPS/S", "BEFORE"]);
        foreach ((Link link, LinkDirection direction) in Sorted())
        {
            (string state, Style style) = Words.Of(link.State);
            double? drops = _rates.Drops(link, direction);
            List<Spectre.Console.Rendering.IRenderable> cells =
            [
                Tables.Cell(link.Name), Tables.Cell(LinkDetails.Arrow(direction)), Tables.Cell(state, style),
                Tables.Cell(Units.BitsPerSecond(_rates.Bits(link, direction))), Tables.Cell(Units.Count(_rates.Frames(link, direction))),
                Tables.Cell(Units.Count(drops), drops > 0 ? Words.Warning : null), Tables.Cell(Sparkline.Of(_history[(link.Name, direction.From)], GraphWidth)),
            ];
            if (translates)
                cells.Insert(5, Tables.Cell(Units.Count(_rates.Translated(link, direction))));
            table.AddRow(cells);
        }
        return table;
    }

    private Table Ports()
    {
        Table table = Tables.Of("~PORT", "STATE", "FROM GUEST", "TO GUEST", "KICKS/S", "CALLS/S", "FAULTS");
        foreach (Port port in _now.Ports.OrderByDescending(p => (_rates.SentBits(p) ?? 0) + (_rates.ReceivedBits(p) ?? 0)).ThenBy(p => p.Name, StringComparer.Ordinal))
        {
            (string state, Style style) = Words.Of(port.State);
            ulong faults = port.Counters?.Faults.Aggregate(0UL, (sum, fault) => sum + fault.Count) ?? 0;
            table.AddRow(Tables.Cell(port.Name), Tables.Cell(state, style), Tables.Cell(Units.BitsPerSecond(_rates.SentBits(port))),
                Tables.Cell(Units.BitsPerSecond(_rates.ReceivedBits(port))), Tables.Cell(Units.Count(_rates.Kicks(port))),
                Tables.Cell(Units.Count(_rates.Calls(port))), Tables.Cell(Units.Number(faults), faults > 0 ? Words.Failure : null));
        }
        return table;
    }

    private Table Disks()
    {
        Table table = Tables.Of("~DISK", "READ", "WRITTEN", "IN FLIGHT", "LATENCY", "ERRORS");
        foreach (Port port in _now.Ports.Where(p => p.Type == DeviceType.Block))
        {
            ulong errors = port.Counters?.FailedRequests ?? 0;
            table.AddRow(Tables.Cell(port.Name), Tables.Cell(Units.BitsPerSecond(_rates.ReceivedBits(port))), Tables.Cell(Units.BitsPerSecond(_rates.SentBits(port))),
                Tables.Cell(Units.Number(port.Counters?.RequestsInFlight ?? 0)), Tables.Cell(_rates.Latency(port) is { } seconds ? Units.Duration(TimeSpan.FromSeconds(seconds)) : "-"),
                Tables.Cell(Units.Number(errors), errors > 0 ? Words.Failure : null));
        }
        return table;
    }

    private IEnumerable<(Link Link, LinkDirection Direction)> Directions() => _now.Links.SelectMany(link => link.Directions.Select(direction => (link, direction)));

    private IEnumerable<(Link Link, LinkDirection Direction)> Sorted() => Directions()
        .OrderByDescending(d => _rates.Bits(d.Link, d.Direction) ?? 0).ThenBy(d => d.Link.Name, StringComparer.Ordinal).ThenBy(d => d.Direction.From, StringComparer.Ordinal);
}
