using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Guests;

/// <summary>
/// Runs a role on a guest's device, through every loss of the device: a switch that goes away is waited for.
/// </summary>
internal sealed class RoleLoop(IGuest guest, AgentLog log)
{
    private const int RetryMilliseconds = 100, TurnsBetweenLooks = 256;

    private readonly Lock _lock = new();
    private DriverDevice? _device;

    /// <summary>Ends the wait of the role, if it waits. From any thread.</summary>
    public void Wake()
    {
        lock (_lock)
            _device?.Wake();
    }

    /// <summary>Runs the role until it is done or this is cancelled.</summary>
    /// <exception cref="AgentException">The device cannot be used.</exception>
    public void Run(IRole role, CancellationToken cancel)
    {
        using var onCancel = cancel.Register(Wake);
        string told = "";
        while (!cancel.IsCancellationRequested && !role.IsDone)
        {
            try
            {
                RunOnce(role, () => told = Tell(told, $"{guest.Name}: running"), cancel);
            }
            catch (DeviceLostException e)
            {
                told = Tell(told, $"{guest.Name}: {e.Message}; waiting for it");
                cancel.WaitHandle.WaitOne(RetryMilliseconds);
            }
        }
    }

    private void RunOnce(IRole role, Action started, CancellationToken cancel)
    {
        using var device = guest.Open();
        lock (_lock)
            _device = device;
        try
        {
            role.Start(device);
            started();
            Turn(role, device, cancel);
        }
        catch (InvalidDataException e)
        {
            // A device that lies about its ring is no device: begin anew with another.
            throw new DeviceLostException(e.Message, e);
        }
        finally
        {
            lock (_lock)
                _device = null;
            role.Stop();
        }
    }

    private static void Turn(IRole role, DriverDevice device, CancellationToken cancel)
    {
        for (uint turns = 1; !cancel.IsCancellationRequested && !role.IsDone; turns++)
        {
            if (!role.Work())
                device.Wait(role.Arm());
            else if (turns % TurnsBetweenLooks == 0)
                device.Wait(0); // a busy role, too, must learn that its device is gone
        }
    }

    /// <summary>Says what has not been said before.</summary>
    private string Tell(string before, string now)
    {
        if (before != now)
            log.Say(now);
        return now;
    }
}
