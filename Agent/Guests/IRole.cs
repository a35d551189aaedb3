using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Guests;

/// <summary>What a guest does with its device. All is called on the one thread of <see cref="RoleLoop"/>.</summary>
internal interface IRole
{
    /// <summary>Whether it has done all it was asked to do.</summary>
    bool IsDone { get; }

    /// <summary>The features to accept if they are offered, over <see cref="RoleLoop.Always"/>.</summary>
    ulong Wanted => 0;

    /// <summary>Makes queues, posts buffers, starts the device, by the features that were accepted. All of the guest's memory is free.</summary>
    /// <exception cref="AgentException">It is not the device that this role needs.</exception>
    void Start(DriverDevice device);

    /// <summary>Does what there is to do, a bounded amount.</summary>
    /// <returns>Whether there was something.</returns>
    bool Work();

    /// <summary>Asks the device for calls.</summary>
    /// <returns>Milliseconds that may pass until <see cref="Work"/> must be called all the same; 0: at once; -1: for ever.</returns>
    int Arm();

    /// <summary>The device is gone, and with it all that was in flight.</summary>
    void Stop();
}
