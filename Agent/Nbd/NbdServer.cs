using System.Net.Sockets;
using InterGuest.Virtio.Native;

namespace InterGuest.Agent.Nbd;

/// <summary>Offers a disk to NBD clients at a Unix socket.</summary>
internal sealed class NbdServer(string path, NbdDisk disk, AgentLog log)
{
    private readonly HashSet<Task> _clients = [];

    /// <summary>Listens and serves until this is cancelled.</summary>
    /// <exception cref="AgentException">It cannot listen there.</exception>
    public async Task RunAsync(CancellationToken cancel)
    {
        using var listener = Listen();
        log.Say($"the disk of {disk.Bytes} bytes is to be had at nbd+unix:///?socket={path}");
        try
        {
            while (true)
            {
                var client = await listener.AcceptAsync(cancel);
                _clients.RemoveWhere(c => c.IsCompleted);
                _clients.Add(ServeAsync(client, cancel));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(_clients);
        }
        finally
        {
            UnixSocket.Remove(path);
        }
    }

    private Socket Listen()
    {
        if (!UnixSocket.Fits(path))
            throw new AgentException($"--nbd: {path} is longer than the {UnixSocket.MaxPathBytes} bytes that a socket's path may have");
        if (!UnixSocket.RemoveStale(path))
            throw new AgentException($"--nbd: {path} is in use: another server listens there, or the file is something else");
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen();
            return listener;
        }
        catch (SocketException e)
        {
            listener.Dispose();
            throw new AgentException($"--nbd: cannot listen at {path}: {e.Message}", e);
        }
    }

    private async Task ServeAsync(Socket client, CancellationToken cancel)
    {
        await using var stream = new NetworkStream(client, ownsSocket: true);
        try
        {
            if (!await new NbdHandshake(stream, disk).RunAsync(cancel))
                return;
            using var connection = new NbdConnection(stream, disk);
            await connection.RunAsync(cancel);
        }
        catch (OperationCanceledException)
        {
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            log.Say($"an NBD client is gone: {e.Message}");
        }
    }
}
