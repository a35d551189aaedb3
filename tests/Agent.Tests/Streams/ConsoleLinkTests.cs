using System.IO.Pipelines;
using System.Text;
using InterGuest.Protos.V1;
using InterGuest.Switch.Tests;
using PortType = InterGuest.Switch.Ports.PortType;

namespace InterGuest.Agent.Tests.Streams;

/// <summary>Two consoles on one link, over a real switch.</summary>
public sealed class ConsoleLinkTests : IDisposable
{
    private readonly TestSwitch _switch = new();

    public ConsoleLinkTests()
    {
        foreach (string name in new[] { "a", "b" })
            _switch.AddPort(name, type: PortType.Console);
        _switch.AddLink("line", "a", "b");
    }

    public void Dispose() => _switch.Dispose();

    [Fact]
    public async Task What_is_typed_at_one_is_shown_at_the_other()
    {
        using var a = new Terminal(_switch.Port("a").SocketPath);
        using var b = new Terminal(_switch.Port("b").SocketPath);
        a.Type("who is there?\n");
        b.Shows("who is there?\n");
        b.Type("b\n");
        a.Shows("b\n");
        // More than all buffers of both ends: the input waits for the output, and nothing is lost or out of order.
        string much = string.Concat(Enumerable.Range(0, 100_000).Select(i => $"{i} "));
        a.Type(much);
        b.Shows("who is there?\n" + much);
        Assert.Equal(0, await a.EndAsync());
        Assert.Equal(0, await b.EndAsync());
    }

    [Fact]
    public async Task What_is_typed_before_anybody_is_there_waits()
    {
        using var a = new Terminal(_switch.Port("a").SocketPath);
        a.Type("early");
        _switch.PortIn(PortState.Running, "a");
        using var b = new Terminal(_switch.Port("b").SocketPath);
        b.Shows("early");
        Assert.Equal(0, await b.EndAsync());
        // And one who comes back is heard again.
        using var again = new Terminal(_switch.Port("b").SocketPath);
        again.Type("back");
        a.Shows("back");
    }

    /// <summary>`interguest-agent console`, its keyboard and its screen.</summary>
    private sealed class Terminal(string socket) : IDisposable
    {
        private readonly Pipe _keyboard = new(new PipeOptions(pauseWriterThreshold: 0));
        private readonly Screen _screen = new();
        private AgentRun? _run;

        private AgentRun Run => _run ??= new AgentRun(
            context => context with { Input = () => _keyboard.Reader.AsStream(), Output = () => _screen }, "console", "--port", socket);

        public void Type(string text)
        {
            _ = Run;
            _keyboard.Writer.WriteAsync(Encoding.ASCII.GetBytes(text)).AsTask().Wait();
        }

        public void Shows(string text)
        {
            _ = Run;
            Wait.Until(() => _screen.Length >= text.Length, $"{text.Length} bytes are shown; there are {_screen.Length}");
            Assert.Equal(text, _screen.Text);
        }

        public Task<int> EndAsync() => Run.InterruptAsync();

        public void Dispose() => _run?.Dispose();
    }

    /// <summary>Written by the agent, read by the test.</summary>
    private sealed class Screen : MemoryStream
    {
        private readonly Lock _lock = new();

        public override long Length
        {
            get
            {
                lock (_lock)
                    return base.Length;
            }
        }

        public string Text
        {
            get
            {
                lock (_lock)
                    return Encoding.ASCII.GetString(ToArray());
            }
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            lock (_lock)
                base.Write(buffer.ToArray(), 0, buffer.Length);
        }
    }
}
