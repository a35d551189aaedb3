using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text.Json;

namespace InterGuest.Switch.Negotiation.Replug;

/// <summary>
/// A client of a VMM's QMP socket (QEMU Machine Protocol: JSON, a line each way). One command at a time; QEMU itself serves one client
/// at a time on a socket.
/// </summary>
public sealed class QmpClient : IAsyncDisposable
{
    /// <summary>No answer that we ask for is near this long.</summary>
    private const int MaxLine = 4 << 20;

    /// <summary>Events that nobody waited for are forgotten, the oldest first.</summary>
    private const int MaxEvents = 256;

    private readonly NetworkStream _stream;
    private readonly PipeReader _reader;
    private readonly Queue<QmpEvent> _events = new();
    private int _lastId;

    private QmpClient(Socket socket)
    {
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reader = PipeReader.Create(_stream);
    }

    /// <summary>Connects, and leaves the negotiation of capabilities behind.</summary>
    /// <param name="path">Of the Unix socket.</param>
    /// <param name="cancel">Ends the waiting: QEMU does not greet while it serves another client.</param>
    /// <exception cref="QmpException">Nobody listens there, or it is no QMP.</exception>
    public static async Task<QmpClient> ConnectAsync(string path, CancellationToken cancel)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancel);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ArgumentException)
        {
            socket.Dispose();
            throw e is OperationCanceledException ? e
                : new QmpException($"the QMP socket {path} cannot be connected to: {e.Message}. Start QEMU with -qmp unix:{path},server=on,wait=off");
        }
        var client = new QmpClient(socket);
        try
        {
            await client.GreetAsync(path, cancel);
            return client;
        }
        catch
        {
            await client.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a command.</summary>
    /// <param name="command">Its name.</param>
    /// <param name="arguments">Its arguments; null: none.</param>
    /// <param name="cancel">Ends the waiting; the connection is of no use afterwards.</param>
    /// <returns>What it returned.</returns>
    /// <exception cref="QmpException">QEMU refused, or is gone.</exception>
    public async Task<JsonElement> ExecuteAsync(string command, IReadOnlyDictionary<string, object>? arguments, CancellationToken cancel)
    {
        int id = ++_lastId;
        await WriteAsync(command, arguments, id, cancel);
        while (true)
        {
            var message = await ReadAsync(cancel);
            if (!message.TryGetProperty("id", out var answered) || !answered.TryGetInt32(out int number) || number != id)
                continue;
            if (message.TryGetProperty("error", out var error))
                throw new QmpException($"{command}: {Text(error, "desc")}");
            return message.TryGetProperty("return", out var value) ? value : throw new QmpException($"{command}: an answer that is none: {message}");
        }
    }

    /// <summary>Waits for an event; those that came since the connection began count.</summary>
    /// <exception cref="QmpException">QEMU is gone.</exception>
    public async Task<QmpEvent> WaitAsync(Func<QmpEvent, bool> wanted, CancellationToken cancel)
    {
        while (true)
        {
            while (_events.TryDequeue(out var happened))
                if (wanted(happened))
                    return happened;
            await ReadAsync(cancel);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _reader.CompleteAsync();
        await _stream.DisposeAsync();
    }

    private async Task GreetAsync(string path, CancellationToken cancel)
    {
        var greeting = await ReadAsync(cancel);
        if (!greeting.TryGetProperty("QMP", out _))
            throw new QmpException($"{path} does not speak QMP: it began with {greeting}");
        await ExecuteAsync("qmp_capabilities", null, cancel);
    }

    private async Task WriteAsync(string command, IReadOnlyDictionary<string, object>? arguments, int id, CancellationToken cancel)
    {
        var message = new Dictionary<string, object> { ["execute"] = command, ["id"] = id };
        if (arguments != null)
            message["arguments"] = arguments;
        var buffer = new ArrayBufferWriter<byte>();
        await using (var writer = new Utf8JsonWriter(buffer))
            JsonSerializer.Serialize(writer, message);
        buffer.Write("\n"u8);
        try
        {
            await _stream.WriteAsync(buffer.WrittenMemory, cancel);
        }
        catch (IOException e)
        {
            throw new QmpException($"QEMU is gone: {e.Message}");
        }
    }

    /// <summary>The next message; events are kept, too.</summary>
    private async Task<JsonElement> ReadAsync(CancellationToken cancel)
    {
        JsonElement message;
        try
        {
            message = await ReadLineAsync(cancel);
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            throw new QmpException($"QMP: {e.Message}");
        }
        if (message.ValueKind != JsonValueKind.Object)
            throw new QmpException($"QMP: a message that is none: {message}");
        if (message.TryGetProperty("event", out var name) && name.ValueKind == JsonValueKind.String)
        {
            if (_events.Count == MaxEvents)
                _events.Dequeue();
            _events.Enqueue(new QmpEvent(name.GetString()!, message.TryGetProperty("data", out var data) ? data : default));
        }
        return message;
    }

    private async Task<JsonElement> ReadLineAsync(CancellationToken cancel)
    {
        while (true)
        {
            var read = await _reader.ReadAsync(cancel);
            if (read.Buffer.PositionOf((byte)'\n') is { } end)
            {
                var message = JsonElement.Parse(read.Buffer.Slice(0, end).ToArray());
                _reader.AdvanceTo(read.Buffer.GetPosition(1, end));
                return message;
            }
            if (read.IsCompleted)
                throw new QmpException("QEMU closed its QMP socket");
            if (read.Buffer.Length > MaxLine)
                throw new QmpException("QEMU sent a line that does not end");
            _reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    internal static string Text(JsonElement of, string name) =>
        of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
}

/// <summary>Something that QEMU tells of its own accord.</summary>
/// <param name="Name">DEVICE_DELETED, and others.</param>
/// <param name="Data">What belongs to it; undefined: nothing.</param>
public sealed record QmpEvent(string Name, JsonElement Data)
{
    /// <summary>The device that it is about, by its id; empty: none.</summary>
    public string Device => QmpClient.Text(Data, "device");
}
