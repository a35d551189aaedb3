using Google.Protobuf;
using Google.Protobuf.Reflection;
using InterGuest.Protos.V1;
using InterGuest.Switch.Control;
using InterGuest.Testing;
using InterGuest.TopologyFiles;
using LinkState = InterGuest.Protos.V1.LinkState;

namespace InterGuest.Switch.Tests.Control;

/// <summary>Ports and links become what a topology says, and nothing that is so already is touched.</summary>
public sealed class TopologyTests : IDisposable
{
    private readonly TestSwitch _switch = new();

    public void Dispose() => _switch.Dispose();

    [Fact]
    public void AppliedTwiceTheSecondTimeChangesNothing()
    {
        const string text = "ports: {a: , b: {queue_pairs: 4}, c: {mode: connect}}\nlinks: {l: {ports: [b, a], hold: 2s, down: true}}";
        Assert.Equal(["Create port a", "Create port b", "Create port c", "Create link l"], Changes(Apply(text)));
        Assert.Empty(Apply(text).Changes);
        Assert.Empty(Apply(text, prune: true).Changes);
        Assert.Equal(4u, _switch.Port("b").QueuePairs);
        Assert.Equal((LinkState.Down, 2), (_switch.Link("l").State, _switch.Link("l").Hold.Seconds));
    }

    [Fact]
    public void ADryRunSaysTheSameAndChangesNothing()
    {
        Apply("ports: {a: , b: , c: }\nlinks: {l: {ports: [a, b]}}");
        string before = Export();
        const string text = "ports: {a: {queue_pairs: 2}, d: }\nlinks: {l: {ports: [a, b], down: true}}";
        var said = Apply(text, dryRun: true);
        Assert.Equal(before, Export());
        Assert.Equal(said, Apply(text));
        Assert.NotEqual(before, Export());
    }

    [Fact]
    public void WhatIsExportedMakesTheSameElsewhere()
    {
        Apply($"ports: {{a: , b: {{queue_pairs: 4}}, c: {{mode: connect, socket_path: {_switch.Directory.At("vm.sock")}}}}}\nlinks: {{l: {{ports: [b, a], hold: 1s}}}}");
        string text = Export();
        Assert.StartsWith("ports:\n  a: {}\n  b:\n    queue_pairs: 4\n", text, StringComparison.Ordinal);
        Apply("ports: {}", prune: true);
        Assert.Equal("ports: {}\nlinks: {}\n", Export());
        Apply(text);
        Assert.Equal(text, Export());
    }

    /// <summary>A new field of a request is not to be forgotten here: it must be in what is exported.</summary>
    [Fact]
    public void EveryFieldThatCanBeAskedForIsExported()
    {
        var port = new CreatePortRequest { Name = "a" };
        var link = new CreateLinkRequest { Name = "l", Ports = { "a", "b" } };
        var values = new Dictionary<string, string>
        {
            ["type"] = "net", ["socket_path"] = _switch.Directory.At("x.sock"), ["queue_pairs"] = "3",
            ["socket_owner"] = "0", ["socket_group"] = "0", ["socket_mode"] = "0600",
            ["hold"] = "3s", ["down"] = "true", ["policy"] = "minimal", ["qmp_socket"] = _switch.Directory.At("qmp.sock"),
            ["carrier"] = "follow", ["rate"] = "100M", ["burst"] = "64k",
        };
        foreach (var (message, descriptor) in new (IMessage, MessageDescriptor)[] { (port, CreatePortRequest.Descriptor), (link, CreateLinkRequest.Descriptor) })
            foreach (var field in descriptor.Fields.InFieldNumberOrder().Where(f => f.Name is not ("name" or "ports" or "mode" or "fail_after" or "in_flight")))
            {
                Assert.True(values.TryGetValue(field.Name, out string? text), $"no value for the field {field.Name} here: add one that is not the usual one");
                field.Accessor.SetValue(message, FieldText.Parse(field, text));
            }
        // In mode connect the switch makes no socket, and cannot say whose it is.
        var other = new CreatePortRequest { Name = "b", Mode = SocketMode.Connect };
        var topology = new Topology { Ports = { port, other }, Links = { link } };
        _switch.Do(b => TopologyApplier.Apply(b, _switch.Options, new ApplyRequest { Topology = topology }));
        var exported = _switch.Do(b => Declaration.Export(b, _switch.Options));
        port.Type = DeviceType.Unspecified; // there is one, which is the usual one
        Assert.Equal(topology, exported);
    }

    [Fact]
    public void WhatTheFileDoesNotHaveStaysUnlessItIsAskedFor()
    {
        Apply("ports: {a: , b: , c: }\nlinks: {l: {ports: [a, b]}}");
        var left = Apply("ports: {d: }");
        Assert.Equal(["port a", "port b", "port c", "link l"], left.Left);
        Assert.Equal(["Create port d"], Changes(left));
        Assert.Equal(["Remove link l", "Remove port b", "Remove port c", "Remove port d"], Changes(Apply("ports: {a: }", prune: true)));
        Assert.Equal("ports:\n  a: {}\nlinks: {}\n", Export());
    }

    [Fact]
    public void TheOrderOfALinksPortsIsNoDifference()
    {
        Apply("ports: {a: , b: }\nlinks: {l: {ports: [a, b]}}");
        Assert.Empty(Apply("links: {l: {ports: [b, a]}}").Changes);
    }

    [Fact]
    public void ALinkIsSetDownAsItRuns()
    {
        Apply("ports: {a: , b: }\nlinks: {l: {ports: [a, b]}}");
        var (a, b) = (TestGuest.Run(_switch.Port("a").SocketPath), TestGuest.Run(_switch.Port("b").SocketPath));
        using (a)
        using (b)
        {
            Exchange.BothWays(a, b);
            var frames = _switch.Link("l").Directions[0].Frames;
            Assert.Equal(["Update link l"], Changes(Apply("links: {l: {ports: [a, b], down: true}}")));
            Assert.Equal((LinkState.Down, frames), (_switch.Link("l").State, _switch.Link("l").Directions[0].Frames));
            Apply("links: {l: {ports: [a, b]}}");
            Exchange.BothWays(a, b);
        }
    }

    [Fact]
    public void APortIsLimitedAsItRuns()
    {
        Apply("ports: {a: , b: }\nlinks: {l: {ports: [a, b]}}");
        using var a = TestGuest.Run(_switch.Port("a").SocketPath);
        using var b = TestGuest.Run(_switch.Port("b").SocketPath);
        Assert.Equal(["Update port a"], Changes(Apply("ports: {a: {rate: 1G, burst: 2M}, b: }\nlinks: {l: {ports: [a, b]}}")));
        Assert.Equal((1_000_000_000ul, 2_000_000ul), (_switch.Port("a").Rate, _switch.Port("a").Burst));
        Exchange.BothWays(a, b);
        Assert.Contains("  a:\n    rate: 1G\n    burst: 2M\n", Export(), StringComparison.Ordinal);
        Assert.Equal(["Update port a"], Changes(Apply("ports: {a: , b: }")));
        Assert.Equal(0ul, _switch.Port("a").Rate);
        Exchange.BothWays(a, b);
    }

    /// <summary>The guest of a port that is made again may run on, and insists on what it was offered (notes/peers.md, section 2, Reconnect).</summary>
    [Fact]
    public void APortMadeAgainBringsItsLinkAndItsOfferWithIt()
    {
        Apply("ports: {a: , b: }\nlinks: {l: {ports: [a, b], hold: 3s}}");
        ulong offered;
        using (var before = new TestGuest())
        {
            before.Connect(_switch.Port("a").SocketPath);
            offered = before.Offered;
            var changes = Apply($"ports: {{a: {{socket_path: {_switch.Directory.At("new.sock")}}}}}").Changes;
            Assert.Equal(["Replace port a", "Replace link l"], changes.Select(Text));
            Assert.Equal(_switch.Directory.At("new.sock"), Assert.Single(changes[0].Fields).After);
            Assert.Equal("port a is made again", changes[1].Reason);
        }
        Assert.Equal(3, _switch.Link("l").Hold.Seconds);
        using var a = TestGuest.Run(_switch.Directory.At("new.sock"));
        using var b = TestGuest.Run(_switch.Port("b").SocketPath);
        Assert.Equal(offered, a.Offered & offered);
        Exchange.BothWays(a, b);
    }

    [Fact]
    public void PortsMayChangeTheirSocketsAndLinksTheirPorts()
    {
        Apply("ports: {a: , b: , c: , d: }\nlinks: {l: {ports: [a, b]}, m: {ports: [c, d]}}");
        string a = _switch.Port("a").SocketPath, b = _switch.Port("b").SocketPath;
        Apply($"ports: {{a: {{socket_path: {b}}}, b: {{socket_path: {a}}}}}\nlinks: {{l: {{ports: [a, c]}}, m: {{ports: [b, d]}}}}");
        Assert.Equal((b, a), (_switch.Port("a").SocketPath, _switch.Port("b").SocketPath));
        Assert.Equal(["a", "c"], _switch.Link("l").Ports);
        Assert.Equal(["b", "d"], _switch.Link("m").Ports);
    }

    [Theory]
    [InlineData("ports: {a b: }", "ports/a b/name", "port a b: name: 'a b' is not a name")]
    [InlineData("ports: {x: {queue_pairs: 129}}", "ports/x/queue_pairs", "port x: queue_pairs: 129 is not between")]
    [InlineData("ports: {x: {socket_path: x.sock}}", "ports/x/socket_path", "port x: socket_path: x.sock is not absolute")]
    [InlineData("ports: {x: {socket_path: /tmp/z}, y: {socket_path: /tmp/z}}", "ports/y/socket_path", "is the socket of port x, too")]
    [InlineData("links: {m: {ports: [a]}}", "links/m/ports", "link m: ports: a link joins two different ports")]
    [InlineData("links: {m: {ports: [c, c]}}", "links/m/ports", "link m: ports: a link joins two different ports")]
    [InlineData("links: {m: {ports: [c, x]}}", "links/m/ports", "link m: ports: there is no port x")]
    [InlineData("links: {m: {ports: [c, a]}}", "links/m/ports", "port a is in link l, too, which the topology does not have and which stays")]
    [InlineData("links: {m: {ports: [c, d]}, n: {ports: [d, e]}}", "links/n/ports", "port d is in link m, too")]
    [InlineData("links: {m: {ports: [c, d], hold: 61s}}", "links/m/hold", "link m: hold: ")]
    public void WhatCannotBeIsRefusedAsAWholeAndNamed(string text, string subject, string message)
    {
        Apply("ports: {a: , b: , c: , d: , e: }\nlinks: {l: {ports: [a, b]}}");
        string before = Export();
        var error = Assert.Throws<SwitchException>(() => Apply(text));
        Assert.Equal((SwitchError.Invalid, subject), (error.Kind, error.Subject));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal(before, Export());
    }

    [Fact]
    public void PruningAPortThatALinkOfTheFileNeedsIsRefused()
    {
        Apply("ports: {a: , b: }");
        var error = Assert.Throws<SwitchException>(() => Apply("ports: {a: }\nlinks: {l: {ports: [a, b]}}", prune: true));
        Assert.Contains("there is no port b in the topology, and so it is to be removed", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AFailureHalfWaySaysWhatWasDone()
    {
        var error = Assert.Throws<SwitchException>(() => Apply("ports: {a: , b: {socket_path: /proc/no/b.sock}, c: }"));
        Assert.StartsWith("port b: socket /proc/no/b.sock: ", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("1 of 3 changes were made before it, and stay", error.Message, StringComparison.Ordinal);
        Assert.Equal("ports/b", error.Subject);
        Assert.Equal(["a"], _switch.Do(b => b.Ports.Select(p => p.Name).ToArray()));
    }

    private static IEnumerable<string> Changes(ApplyResponse response) => response.Changes.Select(Text);

    private static string Text(Change change) => $"{change.Kind} {change.Subject.ToString().ToLowerInvariant()} {change.Name}";

    private ApplyResponse Apply(string text, bool dryRun = false, bool prune = false)
    {
        var topology = TopologyFile.Parse(text, "test").Topology;
        return _switch.Do(b => TopologyApplier.Apply(b, _switch.Options, new ApplyRequest { Topology = topology, DryRun = dryRun, Prune = prune }));
    }

    private string Export() => _switch.Do(b => TopologyWriter.Write(Declaration.Export(b, _switch.Options)));
}
