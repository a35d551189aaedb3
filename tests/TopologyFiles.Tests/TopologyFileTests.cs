using Google.Protobuf.WellKnownTypes;
using InterGuest.Protos.V1;

namespace InterGuest.TopologyFiles.Tests;

public sealed class TopologyFileTests
{
    private static readonly Topology Sample = new()
    {
        Ports =
        {
            new CreatePortRequest { Name = "a" },
            new CreatePortRequest { Name = "0.1", Type = DeviceType.Net, Mode = SocketMode.Connect, SocketPath = "/run/it's: #1", QueuePairs = 4 },
            new CreatePortRequest { Name = "null", SocketPath = "true" },
        },
        Links =
        {
            new CreateLinkRequest { Name = "yes", Ports = { "a", "0.1" }, Hold = Duration.FromTimeSpan(TimeSpan.FromMilliseconds(1500)), Down = true },
            new CreateLinkRequest { Name = "l" },
        },
    };

    [Fact]
    public void WhatIsWrittenIsReadBack()
    {
        string text = TopologyWriter.Write(Sample);
        Assert.Equal(Sample, TopologyFile.Parse(text, "f").Topology);
    }

    [Fact]
    public void ItIsWrittenAsAPersonWould() => Assert.Equal(
        """
        ports:
          a: {}
          b:
            mode: connect
            queue_pairs: 4
        links:
          lan:
            ports: [a, b]
            hold: 2s

        """,
        TopologyWriter.Write(new Topology
        {
            Ports = { new CreatePortRequest { Name = "a" }, new CreatePortRequest { Name = "b", QueuePairs = 4, Mode = SocketMode.Connect } },
            Links = { new CreateLinkRequest { Name = "lan", Ports = { "a", "b" }, Hold = Duration.FromTimeSpan(TimeSpan.FromSeconds(2)) } },
        }));

    [Theory]
    [InlineData("ports:\n  a:\n  b: {queue_pairs: 4}\nlinks:\n  l: {ports: [a, b]}")]
    [InlineData("# a comment\n{ports: {a: ~, b: {queue_pairs: \"4\"}}, links: {l: {ports: ['a', b]}}}")]
    [InlineData("links:\n  l:\n    ports:\n    - a\n    - b\nports:\n  a: null\n  b:\n    queue_pairs: 4")]
    public void TheSameInSeveralWays(string text)
    {
        var topology = TopologyFile.Parse(text, "f").Topology;
        Assert.Equal(["a", "b"], topology.Ports.Select(p => p.Name));
        Assert.Equal([0u, 4u], topology.Ports.Select(p => p.QueuePairs));
        Assert.Equal(["a", "b"], Assert.Single(topology.Links).Ports);
    }

    [Theory]
    [InlineData("", "f: it is empty")]
    [InlineData("---\nports: {}\n---\nlinks: {}", "f: it has 2 documents")]
    [InlineData("ports: {}\nprots: {}", "f:2: the file: there is no 'prots' in it; it may have ports, links")]
    [InlineData("- a", "f:1: the file: write a mapping")]
    [InlineData("ports:\n  - a", "f:2: ports: write a mapping")]
    [InlineData("ports:\n  a:\n    queues: 4", "f:3: port a: there is no 'queues' in it; it may have type, mode, socket_path, queue_pairs")]
    [InlineData("ports:\n  a:\n    queue_pairs: many", "f:3: port a: queue_pairs: 'many' is not a whole number")]
    [InlineData("ports:\n  a: {queue_pairs: -1}", "f:2: port a: queue_pairs: '-1' is not a whole number")]
    [InlineData("ports:\n  a: {queue_pairs: 5G}", "f:2: port a: queue_pairs: '5G' is not a whole number")]
    [InlineData("ports:\n  a: {queue_pairs: [1]}", "f:2: port a: queue_pairs: write a single value")]
    [InlineData("ports:\n  a: {mode: sideways}", "f:2: port a: mode: 'sideways' is not one of listen, connect")]
    [InlineData("ports:\n  a: {mode: unspecified}", "f:2: port a: mode: 'unspecified' is not one of listen, connect")]
    [InlineData("ports:\n  a: {name: b}", "f:2: port a: there is no 'name' in it")]
    [InlineData("links:\n  l:\n    ports: a", "f:3: link l: ports: write a list")]
    [InlineData("links:\n  l: {down: 1}", "f:2: link l: down: '1' is not true or false")]
    [InlineData("links:\n  l: {hold: soon}", "f:2: link l: hold: 'soon' is not a duration")]
    [InlineData("ports:\n  a:\n  a:", "f:3: ")]
    [InlineData("ports:\n  a: {", "f:")]
    [InlineData("ports:\n\ta:", "f:1: ")]
    public void WhatIsWrongIsSaidWithItsLine(string text, string message) =>
        Assert.StartsWith(message, Assert.Throws<TopologyFileException>(() => TopologyFile.Parse(text, "f")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("ports/a/queue_pairs", "f:3: no")]
    [InlineData("ports/a/mode", "f:2: no")]
    [InlineData("ports/a", "f:2: no")]
    [InlineData("ports/b", "f:2: no")]
    [InlineData("links/l/ports", "f:4: no")]
    [InlineData("", "f: no")]
    public void AnErrorOfTheSwitchGetsItsLineToo(string subject, string message) =>
        Assert.Equal(message, TopologyFile.Parse("ports:\n  a:\n    queue_pairs: 4\nlinks: {}", "f").Locate(subject, "no"));

    [Fact]
    public void AFileThatIsNotThereIsNamed() =>
        Assert.Contains("/nowhere/lan.yaml", Assert.Throws<TopologyFileException>(() => TopologyFile.Load("/nowhere/lan.yaml")).Message, StringComparison.Ordinal);
}
