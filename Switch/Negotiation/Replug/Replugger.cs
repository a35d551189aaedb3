namespace InterGuest.Switch.Negotiation.Replug;

/// <summary>What to plug out and in again.</summary>
/// <param name="QmpSocket">Of the VMM.</param>
/// <param name="PortSocket">Of the port that the device is attached to.</param>
/// <param name="Without">Features that the guest is not to have any more.</param>
/// <param name="LetGo">How long the guest may take to let go of the device.</param>
public sealed record ReplugRequest(string QmpSocket, string PortSocket, ulong Without, TimeSpan LetGo);

/// <summary>
/// Takes a network device out of a running guest and puts it back without some features: the properties of QEMU's device are
/// lowered, its netdev and our offers stay as they are. The guest has to co-operate.
/// </summary>
public static class Replugger
{
    /// <summary>How long QEMU may take for one answer.</summary>
    private static readonly TimeSpan Answer = TimeSpan.FromSeconds(10);

    /// <summary>A guest that did not let go in time may do so later; so long we are there to put the device back.</summary>
    private static readonly TimeSpan Late = TimeSpan.FromMinutes(10);

    /// <summary>Does it.</summary>
    /// <param name="request">What.</param>
    /// <param name="progress">Told of each step, for a person.</param>
    /// <param name="gaveUp">Told once if the guest does not let go in time; the device is in the guest as it was.</param>
    /// <param name="cancel">Ends it where it is.</param>
    /// <exception cref="QmpException">It could not be done; the message says what is so now.</exception>
    public static async Task RunAsync(ReplugRequest request, Action<string> progress, Action<string> gaveUp, CancellationToken cancel)
    {
        await using var qmp = await Limited(Answer, c => QmpClient.ConnectAsync(request.QmpSocket, c), cancel);
        var device = await Limited(Answer, c => QemuDevice.FindAsync(qmp, request.PortSocket, c), cancel);
        string[] off = [.. QemuProperties.Of(request.Without)];
        progress($"asks the guest to let go of device {device.Id}");
        await Limited(Answer, c => qmp.ExecuteAsync("device_del", new Dictionary<string, object> { ["id"] = device.Id }, c), cancel);
        if (!await LetsGoAsync(qmp, device, request.LetGo, cancel))
        {
            gaveUp($"the guest did not let go of device {device.Id} in {request.LetGo.TotalSeconds:0} s: given up, it has the device as before. Should it let go later, the device is put back as it was");
            if (await LetsGoAsync(qmp, device, Late, cancel))
                await AddAsync(qmp, device, "as it was", progress, cancel);
            return;
        }
        progress($"device {device.Id} is out; puts it back with {string.Join(", ", off.Select(p => $"{p}=off"))}");
        try
        {
            await AddAsync(qmp, device.Without(off), $"without {string.Join(", ", off)}", progress, cancel);
        }
        catch (QmpException e)
        {
            progress($"device {device.Id} could not be put back with fewer features: {e.Message}; puts it back as it was");
            await AddAsync(qmp, device, "as it was", progress, cancel);
            throw;
        }
    }

    /// <exception cref="QmpException">The guest refused, or QEMU is gone.</exception>
    private static async Task<bool> LetsGoAsync(QmpClient qmp, QemuDevice device, TimeSpan time, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(time);
        try
        {
            var happened = await qmp.WaitAsync(e => e.Device == device.Id && e.Name is "DEVICE_DELETED" or "DEVICE_UNPLUG_GUEST_ERROR", limit.Token);
            return happened.Name == "DEVICE_DELETED" ? true
                : throw new QmpException($"the guest refused to let go of device {device.Id}; it has the device as before");
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return false;
        }
    }

    private static async Task AddAsync(QmpClient qmp, QemuDevice device, string how, Action<string> progress, CancellationToken cancel)
    {
        await Limited(Answer, c => qmp.ExecuteAsync("device_add", device.Arguments, c), cancel);
        progress($"device {device.Id} is plugged in {how}");
    }

    private static async Task<T> Limited<T>(TimeSpan time, Func<CancellationToken, Task<T>> work, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(time);
        try
        {
            return await work(limit.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new QmpException($"QEMU did not answer in {time.TotalSeconds:0} s. Its QMP socket serves one client at a time: is another connected?");
        }
    }
}
